"""A file that may be compressed, read once from its beginning to its end, with bounded memory."""

import gzip
import io
import lzma
import os
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
_ZSTD_PIECE = 1 << 10
"""Bytes decoded at a time: they become 32 MiB at most."""

Report = Callable[[int, int | None], None]
"""Is told the bytes that are done, and all that there are, several times a second. It ends the work by an IluvatarError."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Stream:
    """The decoded content of a file; raises UnpackError where it is damaged, or longer than ``most`` bytes."""

    def __init__(self, file: BinaryIO, most: int, report: Report) -> None:
        self._file = file
        self._most = most
        self._report = report
        self._size = os.fstat(file.fileno()).st_size
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
    """Open a file that is compressed with gzip, xz or zstd, or not at all; raises OSError.

    In the end it is read as a whole, whoever needs no more of it: one that is truncated is refused.
    """
    with path.open("rb") as file:
        stream = Stream(file, most, report)
        yield stream
        while stream.read(CHUNK):  # at its end is its checksum
            pass


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
        return _Zstd(told)
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
            if self._decompressor.eof:
                if not _goes_on(self._file, self._decompressor.unused_data):
                    return b""
                self._decompressor = self._next_stream()
            data = b""
            if self._decompressor.needs_input and not (data := self._file.read(io.DEFAULT_BUFFER_SIZE * 8)):
                raise EOFError("it is truncated")
            if decoded := self._decompressor.decompress(data, size):
                return decoded

    @staticmethod
    def _next_stream() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MOST_MEMORY)


class _Zstd:
    """Frames of zstd, one after the other; zstandard's own reader takes one that is truncated for a whole one."""

    def __init__(self, file: _Told) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=MOST_MEMORY)
        self._frame = self._decompressor.decompressobj()
        self._decoded = io.BytesIO()

    def read(self, size: int, /) -> bytes:
        while not (part := self._decoded.read(size)):
            if self._frame.eof:
                if not _goes_on(self._file, self._frame.unused_data):
                    return b""
                self._frame = self._decompressor.decompressobj()
            if not (data := self._file.read(_ZSTD_PIECE)):
                raise EOFError("it is truncated")
            self._decoded = io.BytesIO(self._frame.decompress(data))
        return part


def _goes_on(file: _Told, rest: bytes) -> bool:
    """Go to what follows a part that has ended, with ``rest`` read behind it; False where nothing does but padding."""
    while not (rest := rest.lstrip(b"\0")):
        if not (rest := file.read(io.DEFAULT_BUFFER_SIZE)):
            return False
    file.seek(-len(rest), io.SEEK_CUR)
    return True
