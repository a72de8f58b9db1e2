"""A file that may be compressed, read once from its beginning to its end, with bounded memory."""

import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from iluvatar_pxe.errors import UnpackError

CHUNK = 1 << 20
"""Bytes that are handled at a time."""
MOST_MEMORY = 128 << 20
"""Bytes that a decoder may take: ``xz -9`` needs 65 MiB, and ``zstd`` at most this without ``--long=31``."""

Report = Callable[[int, int | None], None]
"""Is told the bytes that are done, and all that there are, several times a second. It ends the work by an IluvatarError."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Stream:
    """The decoded content of a file; raises UnpackError where it is damaged, or longer than ``most`` bytes."""

    def __init__(self, file: BinaryIO, path: Path, most: int, report: Report) -> None:
        self._file = file
        self._most = most
        self._report = report
        self._size = path.stat().st_size
        self._decoder = _decoder_of(file, _Told(file, self.tell))
        self.position = 0

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only where the content ends."""
        parts = []
        while size > 0 and (part := self._decode(min(size, CHUNK))):
            parts.append(part)
            size -= len(part)
            self.position += len(part)
            if self.position > self._most:
                raise UnpackError(f"unpacks to more than {self._most} bytes; it is not what it claims to be")
            self.tell()
        return b"".join(parts)

    def tell(self) -> None:
        """Report how far it is: also whoever works on what was read does so, since that ends what is given up."""
        self._report(min(self._file.tell(), self._size), self._size)

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the next ``size`` bytes piece by piece; raises UnpackError where the content ends before."""
        while size:
            chunk = self.read(min(size, CHUNK))
            if not chunk:
                raise UnpackError(f"ends {size} bytes too early; fetch it again")
            size -= len(chunk)
            yield chunk

    def skip_to(self, position: int) -> None:
        """Go forward; raises UnpackError where the content ends before."""
        for _ in self.chunks(position - self.position):
            pass

    def _decode(self, size: int) -> bytes:
        try:
            return self._decoder.read(size)
        except (lzma.LZMAError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
            raise UnpackError(f"cannot be decompressed: {error}; fetch it again") from error


@contextmanager
def opened(path: Path, most: int, report: Report) -> Iterator[Stream]:
    """Open a file that is compressed with gzip, xz or zstd, or not at all; raises OSError."""
    with path.open("rb") as file:
        yield Stream(file, path, most, report)


class _Told:
    """A compressed file: it is told how far it is, also where nothing comes of what is read."""

    def __init__(self, file: BinaryIO, tell: Callable[[], None]) -> None:
        self._file = file
        self._tell = tell
        self._due = CHUNK

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        if (position := self._file.tell()) >= self._due:
            self._due = position + CHUNK
            self._tell()
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)


def _decoder_of(file: BinaryIO, told: _Told) -> _Readable:
    magic = file.read(6)
    file.seek(0)
    if magic == b"\xfd7zXZ\0":
        return _Xz(told)
    if magic[:4] == b"\x28\xb5\x2f\xfd":
        decompressor = zstandard.ZstdDecompressor(max_window_size=MOST_MEMORY)
        return decompressor.stream_reader(file, read_across_frames=True, closefd=False)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=told)
    return file


class _Xz:
    """Streams of xz, one after the other; the standard library's LZMAFile has no limit for memory."""

    def __init__(self, file: _Told) -> None:
        self._file = file
        self._decompressor = self._next_stream()

    def read(self, size: int, /) -> bytes:
        while True:
            if self._decompressor.eof and not self._begin_next():
                return b""
            data = b""
            if self._decompressor.needs_input and not (data := self._file.read(io.DEFAULT_BUFFER_SIZE * 8)):
                raise EOFError("it is truncated")
            if decoded := self._decompressor.decompress(data, size):
                return decoded

    def _begin_next(self) -> bool:
        rest = self._decompressor.unused_data
        while not (rest := rest.lstrip(b"\0")):  # streams may be padded
            if not (rest := self._file.read(io.DEFAULT_BUFFER_SIZE)):
                return False
        self._decompressor = self._next_stream()
        self._file.seek(-len(rest), io.SEEK_CUR)
        return True

    @staticmethod
    def _next_stream() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)
