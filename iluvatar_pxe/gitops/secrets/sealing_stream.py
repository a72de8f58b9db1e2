"""Large files, sealed as they come: in bounded memory, and never on the disk in clear."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Self

import pyrage
from msgspec import Struct

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.gitops.secrets.sealing import recipients_of
from iluvatar_pxe.host.durable import put_in_place
from iluvatar_pxe.host.threads import begun, ended, handed, to_the_end

_WAY_IN = 1 << 20
"""Bytes that are read at once."""


async def seal_stream(pieces: AsyncIterable[bytes], path: Path, recipients: Sequence[str]) -> None:
    """Put what comes in pieces in the place of ``path``, sealed; where anything fails, ``path`` is what it was.

    Raises SealError, and what ``pieces`` raises.
    """
    holders = recipients_of(recipients)
    try:
        new = await handed(partial(_New.beside, path), _New.drop)
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        await _pass_on(pieces, new.file, path, holders)
        try:
            await to_the_end(put_in_place, new.path, path)
        except OSError as error:
            raise _unwritten(path, error) from error
    finally:
        new.drop()


class _New(Struct, frozen=True):
    """A file that is being written, beside the one whose place it is to take."""

    path: Path
    file: BinaryIO

    @classmethod
    def beside(cls, path: Path) -> Self:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        return cls(Path(name), os.fdopen(handle, "wb"))

    def drop(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


async def _pass_on(
    pieces: AsyncIterable[bytes], file: BinaryIO, path: Path, holders: Sequence[pyrage.x25519.Recipient]
) -> None:
    """Have a thread seal what comes: it reads from a socket, which makes it and the network wait for each other."""
    here, there = socket.socketpair()
    with there:
        _, writer = await asyncio.open_connection(sock=here)
        sealing = begun(partial(_seal, there, file, holders))
        try:
            async for piece in pieces:
                writer.write(piece)
                try:
                    await writer.drain()
                except ConnectionError:  # why the thread has ended, it says itself
                    break
            with suppress(OSError):  # as above
                writer.write_eof()
            await _sealed(sealing, path)
        finally:
            writer.transport.abort()
            await ended(sealing)


async def _sealed(sealing: asyncio.Future[None], path: Path) -> None:
    try:
        await asyncio.shield(sealing)
    except pyrage.EncryptError as error:
        raise SealError(f"{path}: cannot be sealed: {error}; look for free space there") from error
    except OSError as error:
        raise _unwritten(path, error) from error


def _seal(source: socket.socket, file: BinaryIO, holders: Sequence[pyrage.x25519.Recipient]) -> None:
    with file, source, source.makefile("rb", _WAY_IN) as clear:
        pyrage.encrypt_io(clear, file, holders)


def _unwritten(path: Path, error: OSError) -> SealError:
    return SealError(
        f"{path}: cannot be written: {error.strerror}; make its directory writable, with free space"
    )
