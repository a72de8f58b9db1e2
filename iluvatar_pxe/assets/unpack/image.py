"""A Raspberry Pi's disk image: the files of its boot partition, its root file system, and what is known of both."""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

import structlog
from msgspec.structs import asdict

from iluvatar_pxe.assets.unpack.fat import FatVolume
from iluvatar_pxe.assets.unpack.partitions import HEAD, LARGEST_IMAGE, Partition, partitions_of
from iluvatar_pxe.assets.unpack.root import (
    Compressed,
    SparseFile,
    compress,
    compress_root,
    debugfs_path,
    installed_packages,
)
from iluvatar_pxe.assets.unpack.space import room_for
from iluvatar_pxe.assets.unpack.stream import Report, Stream, opened
from iluvatar_pxe.boot.chains.raspberry_pi import BOOT_PARTITION as BOOT
from iluvatar_pxe.boot.chains.raspberry_pi import CURRENT, INITRAMFSES, KERNELS, LARGEST_FILE
from iluvatar_pxe.boot.chains.raspberry_pi import ROOT_PARTITION as ROOT
from iluvatar_pxe.errors import UnpackError

FACTS = "facts.json"
_LONGEST_PATH, _LONGEST_NAME, _SHOWN = 2048, 255, 80
"""Bytes that Linux takes, below another directory, and characters that a message has."""

_log = structlog.get_logger()


def unpack_image(image: Path, place: Path, scratch: Path, report: Report) -> None:
    """Write an image's boot files, its compressed partitions and ``FACTS`` to ``place``.

    ``scratch`` is a directory for copies of its partitions. Raises UnpackError, DiskError, and OSError.
    """
    with opened(image, LARGEST_IMAGE, report) as stream:
        debugfs = debugfs_path()
        boot, root = partitions_of(stream.read(HEAD))
        with room_for(scratch, bytes_taken(boot, root, debugfs)):
            stream.skip_to(boot.start)
            compressed_boot, files = _boot(stream, boot.size, place, scratch / "boot")
            facts = _facts_of(files)
            stream.skip_to(root.start)
            compressed, packages = _root(stream, root.size, place, scratch / "root", debugfs)
    if facts["too_large"]:
        _log.warning("unpack.large_files", image=str(image), files=facts["too_large"], most=LARGEST_FILE)
    if packages is None:
        why = "debugfs is missing: sudo apt-get install e2fsprogs"
        _log.warning("unpack.packages", image=str(image), why=why)
    with (place / FACTS).open("x", encoding="utf-8") as file:
        partitions = {
            "boot": {"file": BOOT, "start": boot.start, **asdict(compressed_boot)},
            "root": {"file": ROOT, "start": root.start, **asdict(compressed)},
        }
        json.dump({**facts, **partitions, "packages": packages}, file, indent=2)


def bytes_taken(boot: Partition, root: Partition, debugfs: str | None) -> int:
    """Return how many bytes unpacking takes, at most: ``debugfs`` reads a copy of the root file system."""
    return 2 * boot.size + root.size * (2 if debugfs else 1)


def _boot(stream: Stream, size: int, place: Path, copy: Path) -> tuple[Compressed, dict[str, int]]:
    """Write the boot partition and its files to ``place``, and return the files' sizes by name."""
    with SparseFile(copy) as sparse:
        compressed = compress(stream.chunks(size), size, place / BOOT, sparse)
    with copy.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            stream.tell()
            return os.pread(file.fileno(), length, offset)

        volume = FatVolume(read, size)
        files = volume.files()
        check_names([one.path for one in files])
        for one in files:
            target = place / one.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as written:
                written.writelines(volume.content(one))
    copy.unlink()
    return compressed, {one.path: one.size for one in files}


def check_names(paths: Collection[str]) -> None:
    """Refuse files of the image that would be in the way of others, or of our own."""
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    for path in sorted(paths):
        if path.split("/")[0] in {BOOT, ROOT, FACTS}:
            raise UnpackError(f"has {path!r} in its boot partition, a name that is taken; use another image")
        if path in folders:
            raise UnpackError(f"has {path!r} twice, as a file and as a folder; use another image")
        if len(path.encode()) > _LONGEST_PATH or any(
            len(part.encode()) > _LONGEST_NAME for part in path.split("/")
        ):
            raise UnpackError(f"has {path[:_SHOWN]!r}..., a name that is too long; use another image")


def _facts_of(files: Mapping[str, int]) -> Mapping[str, list[str]]:
    """Say what firmware loads, and which files are too large for old firmware; ``files`` are sizes by name."""
    loaded = {name.removeprefix(CURRENT): name for name in files}
    kernels = sorted(loaded[name] for name in KERNELS & loaded.keys())
    if not kernels:
        raise UnpackError(
            f"has no kernel in its first partition ({', '.join(sorted(KERNELS))}); use a Raspberry Pi image"
        )
    return {
        "kernels": kernels,
        "initramfs": sorted(loaded[name] for name in INITRAMFSES & loaded.keys()),
        "too_large": sorted(name for name, size in files.items() if size > LARGEST_FILE),
    }


def _root(
    stream: Stream, size: int, place: Path, copy: Path, debugfs: str | None
) -> tuple[Compressed, Mapping[str, str] | None]:
    """Write the root file system to ``place``, and return the versions in it, None where ``debugfs`` is."""
    target = place / ROOT
    if debugfs is None:
        return compress_root(stream.chunks(size), size, target, None), None
    with SparseFile(copy) as sparse:
        compressed = compress_root(stream.chunks(size), size, target, sparse)
    packages = installed_packages(debugfs, copy, stream.tell)
    copy.unlink()
    return compressed, packages
