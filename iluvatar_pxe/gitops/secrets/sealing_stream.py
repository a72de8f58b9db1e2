"""Large files, sealed as they come: in bounded memory, and never on the disk in clear."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pyrage

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.gitops.secrets.sealing import recipients_of
from iluvatar_pxe.host.durable import put_in_place

_WAY_IN = 1 << 20
"""Bytes that are read at once."""


async def seal_stream(pieces: AsyncIterable[bytes], path: Path, recipients: Sequence[str]) -> None:
    """Put what comes in pieces in the place of ``path``, sealed; where anything fails, ``path`` is what it was.

    Raises SealError, and what ``pieces`` raises.
    """
    holders = recipients_of(recipients)
    try:
        handle, name = await asyncio.to_thread(tempfile.mkstemp, prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error
    with _removed(Path(name)) as new:
        try:
            await _pass_on(pieces, handle, path, holders)
            await asyncio.to_thread(put_in_place, new, path)
        except OSError as error:
            raise _unwritten(path, error) from error


@contextmanager
def _removed(new: Path) -> Iterator[Path]:
    try:
        yield new
    finally:
        new.unlink(missing_ok=True)


async def _pass_on(
    pieces: AsyncIterable[bytes], handle: int, path: Path, holders: Sequence[pyrage.x25519.Recipient]
) -> None:
    """Have a thread seal what comes: it reads from a socket, which makes it and the network wait for each other."""
    here, there = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=here)
    sealing = asyncio.create_task(asyncio.to_thread(_seal, there, handle, holders))
    try:
        with suppress(ConnectionError):  # why the thread has ended, it says itself
            async for piece in pieces:
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        await asyncio.shield(sealing)
    except pyrage.EncryptError as error:
        raise SealError(f"{path}: cannot be sealed: {error}; look for free space there") from error
    finally:
        writer.transport.abort()
        await asyncio.wait([sealing])


def _seal(source: socket.socket, handle: int, holders: Sequence[pyrage.x25519.Recipient]) -> None:
    with os.fdopen(handle, "wb") as file, source, source.makefile("rb", _WAY_IN) as clear:
        pyrage.encrypt_io(clear, file, holders)


def _unwritten(path: Path, error: OSError) -> SealError:
    return SealError(
        f"{path}: cannot be written: {error.strerror}; make its directory writable, with free space"
    )
