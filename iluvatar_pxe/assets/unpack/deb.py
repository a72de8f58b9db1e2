"""Files of a Debian package, out of the package as bytes. Pure.

deb(5): an ``ar`` archive whose member ``data.tar``, compressed or not, has the files.
"""

import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import zstandard

from iluvatar_pxe.errors import UnpackError

MAGIC = b"!<arch>\n"
"""What a package begins with."""
_HEADER = 60
_END = b"`\n"
_DATA = "data.tar"


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(content)


_DECODERS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"": bytes, ".gz": gzip.decompress, ".xz": lzma.decompress, ".zst": _zstd}
)


def read_deb(package: bytes, paths: Iterable[str]) -> Mapping[str, bytes]:
    """Return the content of files by their paths, such as ``usr/bin/zstd``; links lead to what they mean.

    Raises UnpackError for what is no package, is damaged, or lacks one of them.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_data(package)), mode="r:") as archive:
            return {path: _content(archive, path) for path in paths}
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
        raise UnpackError(f"is a damaged Debian package: {error}; fetch it again") from error


def _content(archive: tarfile.TarFile, path: str) -> bytes:
    try:
        file = archive.extractfile(f"./{path}")
    except KeyError as error:
        raise UnpackError(f"has no file {path}; use the version that the catalogue names") from error
    if file is None:
        raise UnpackError(f"has {path}, but not as a file; use the version that the catalogue names")
    return file.read()


def _data(package: bytes) -> bytes:
    for name, content in _members(package):
        suffix = name.removeprefix(_DATA)
        if name.startswith(_DATA) and suffix in _DECODERS:
            return _DECODERS[suffix](content)
    raise UnpackError(f"is no Debian package: it has no {_DATA}; fetch it again")


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member of an ``ar`` archive; each begins at an even place."""
    if not archive.startswith(MAGIC):
        raise UnpackError("is no Debian package: it does not begin as an ar archive; fetch it again")
    at = len(MAGIC)
    while at < len(archive):
        header = archive[at : at + _HEADER]
        size = header[48:58].strip()
        if header[58:] != _END or not size.isdigit() or at + _HEADER + int(size) > len(archive):
            raise UnpackError("is a damaged Debian package: it ends too early; fetch it again")
        at += _HEADER
        yield header[:16].decode("latin-1").strip().removesuffix("/"), archive[at : at + int(size)]
        at += int(size) + int(size) % 2
