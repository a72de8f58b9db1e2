"""The root file system of an image: compressed again while it streams by, and looked into with e2fsprogs."""

import hashlib
import io
import os
import selectors
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Self

import zstandard
from msgspec import Struct

from iluvatar_pxe.assets.unpack.ext4 import HEAD, check_ext4, versions_in
from iluvatar_pxe.assets.unpack.stream import CHUNK
from iluvatar_pxe.errors import UnpackError
from iluvatar_pxe.host.owner import Owner

PACKAGES = ("cloud-init", "open-iscsi", "nfs-common", "linux-raspi")
"""What nodes can do depends on their versions."""
_ZEROS = bytes(64 << 10)
_STATUS = "/var/lib/dpkg/status"
_NOT_FOUND = "File not found"
_LARGEST_STATUS = 64 << 20
_SECONDS, _LOOK_SECONDS = 60.0, 0.5
_PATHS = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/bin", "/bin"))
"""A service's or a user's PATH may lack sbin."""


class Compressed(Struct, frozen=True):
    """The sha256 and the bytes of a compressed partition's file, and the bytes that it unpacks to."""

    sha256: str
    size: int
    uncompressed_size: int


class SparseFile:
    """A new file that is written from its beginning to its end, with holes where there are zeros."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, as all here."""
        self._file = path.open("xb")
        Owner.of(path.parent).take(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.truncate(self._file.tell())

    def write(self, data: bytes) -> None:
        """Append."""
        for at in range(0, len(data), len(_ZEROS)):
            part = data[at : at + len(_ZEROS)]
            if part == _ZEROS[: len(part)]:
                self._file.seek(len(part), io.SEEK_CUR)
            else:
                self._file.write(part)


def compress_root(content: Iterator[bytes], size: int, target: Path, copy: SparseFile | None) -> Compressed:
    """Do as ``compress``; raises UnpackError, too, if the partition does not begin as an ext4 file system."""

    def checked() -> Iterator[bytes]:
        for number, chunk in enumerate(content):
            if number == 0:
                check_ext4(chunk[:HEAD], size)
            yield chunk

    return compress(checked(), size, target, copy)


def compress(content: Iterator[bytes], size: int, target: Path, copy: SparseFile | None) -> Compressed:
    """Write a partition of ``size`` bytes to ``target``, compressed with zstd, and to ``copy`` as it is; raises OSError."""
    digest, written = hashlib.sha256(), 0
    with target.open("xb") as file:
        for piece in _compressed(content, size, copy):
            digest.update(piece)
            written += file.write(piece)
    return Compressed(digest.hexdigest(), written, size)


def _compressed(content: Iterator[bytes], size: int, copy: SparseFile | None) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj(size=size)
    for chunk in content:
        if copy:
            copy.write(chunk)
        yield compressor.compress(chunk)
    yield compressor.flush()


def debugfs_path() -> str | None:
    """Return e2fsprogs' program that reads ext4 without a mount, or None where it is not installed."""
    return shutil.which("debugfs", path=_PATHS)


def installed_packages(debugfs: str, root: Path, tell: Callable[[], None]) -> Mapping[str, str]:
    """Return the versions of ``PACKAGES`` in a file system, none where it has no dpkg.

    ``tell`` is called while that lasts; what it raises ends it. Raises UnpackError if it cannot be read, and OSError.
    """
    command = [debugfs, "-R", f"cat {_STATUS}", str(root)]
    identity = Owner.of(root.parent).identity
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(  # noqa: S603 - argument list made here
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, **identity
        ) as process,
    ):
        try:
            output = _output(process.stdout, tell) if process.stdout else b""
        finally:
            process.kill()
        errors.seek(0)
        said = errors.read(4096).decode(errors="replace").strip()
    if not output and _NOT_FOUND not in said:
        last = "".join(said.splitlines()[-1:])
        raise UnpackError(f"has a damaged ext4 file system: {last or 'debugfs did not end'}; fetch it again")
    return versions_in(output.decode(errors="replace"), PACKAGES)


def _output(pipe: IO[bytes], tell: Callable[[], None]) -> bytes:
    """Return what a process writes, until it has taken too long or written too much."""
    output, end = bytearray(), time.monotonic() + _SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(output) < _LARGEST_STATUS and time.monotonic() < end:
            tell()
            if selector.select(_LOOK_SECONDS):
                if not (part := os.read(pipe.fileno(), CHUNK)):
                    break
                output += part
    return bytes(output)
