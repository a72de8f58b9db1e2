"""What nobody wants any more: downloads of commits before the last two, and what was copied by hand. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from iluvatar_pxe.assets.index import ADOPTED, Record
from iluvatar_pxe.assets.status import Leftover

BEFORE = "the commit before wants it"
COPIED = "it was copied by hand"


def leftovers(
    records: Mapping[str, Record], wanted: frozenset[str], before: frozenset[str], copied: Mapping[str, int]
) -> tuple[Leftover, ...]:
    """Return them by name. ``copied`` are the sizes of files that nobody downloaded and no wanted download gives."""
    own = (_of_record(name, one, before) for name, one in records.items() if name not in wanted)
    return tuple(sorted([*own, *_of_folders(copied)], key=lambda one: one.name))


def _of_record(name: str, record: Record, before: frozenset[str]) -> Leftover:
    size = sum(given.size for given in record.gives.values())
    kept_for = BEFORE if name in before else COPIED if record.source == ADOPTED else ""
    return Leftover(
        name=name, version=record.version, size=size, kept_for=kept_for, only_named=record.withdrawn
    )


def _of_folders(copied: Mapping[str, int]) -> Iterator[Leftover]:
    """Tell files that were copied by hand by their folders: an image has hundreds."""
    folders: dict[str, int] = {}
    for name, size in copied.items():
        folder = str(PurePosixPath(name).parent)
        told = name if folder == "." else f"{folder}/"
        folders[told] = folders.get(told, 0) + size
    for name, size in folders.items():
        yield Leftover(name=name, version="", size=size, kept_for=COPIED)
