"""Images of Raspberry Pis that were downloaded, and are kept as their publishers made them."""

from collections.abc import Iterator
from pathlib import Path

from iluvatar_pxe.assets.index import ORIGINALS, Index

_ENDS = (".img.xz", ".img.zst", ".img.gz", ".img")


async def kept_images(directory: Path) -> dict[str, Path]:
    """Return the files of an assets directory that are such images, by their logical names."""
    index = Index(directory)
    await index.load()
    return {name: path for name, path in _all(index) if path.is_file()}


def _all(index: Index) -> Iterator[tuple[str, Path]]:
    for name, record in sorted(index.records.items()):
        if name.endswith(_ENDS):
            original = record.original
            yield name, index.directory / ORIGINALS / original.sha256 if original else index.directory / name
