"""TFTP's mode ``netascii`` (RFC 1350): a file converted while it is read."""

from collections.abc import Sequence
from typing import Self

from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.wire.tftp.packet import to_netascii

LARGEST = 16 * 1024 * 1024
"""Bytes of the original; the whole of it is read once to learn the converted size."""
_PIECE = 64 * 1024


class NetasciiSource:
    """A Source whose bytes are those of another one, converted; each read must begin where the last ended."""

    def __init__(self, source: Source, size: int) -> None:
        self._source = source
        self._size = size
        self._position = 0  # in the original
        self._converted = bytearray()

    @classmethod
    async def convert(cls, source: Source) -> Self:
        """Wrap ``source``; raises AssetError if it is too large or cannot be read."""
        if source.size > LARGEST:
            raise AssetError(f"mode netascii is for files up to {LARGEST} bytes; fetch it in mode octet")
        size = 0
        for offset in range(0, source.size, _PIECE):
            size += len(to_netascii(await source.read(offset, min(_PIECE, source.size - offset))))
        return cls(source, size)

    @property
    def size(self) -> int:
        return self._size

    async def read(self, offset: int, length: int) -> bytes:  # noqa: ARG002 - reads follow one another
        while len(self._converted) < length and self._position < self._source.size:
            piece = await self._source.read(self._position, _PIECE)
            self._position += _PIECE
            self._converted += to_netascii(piece)
        data = bytes(self._converted[:length])
        del self._converted[:length]
        return data

    def fill(self, offset: int, places: Sequence[memoryview]) -> bool:  # noqa: ARG002 - reads follow one another
        return False

    async def close(self) -> None:
        await self._source.close()
