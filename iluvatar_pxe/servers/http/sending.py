"""Sends files to clients: by sendfile(2) in threads of its own, or piece by piece where that is not possible.

The event loop never sends a file itself: one sendfile(2) sends as long as the client takes something, and waits for the
disk where the file is not in memory. A client that takes nothing for a moment has no thread: the event loop waits for it.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from iluvatar_pxe.assets.source import SHORTER, FileSource, Source
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.servers.http.connections import GuardedConnection

THREADS = 8
"""How many clients are sent to at the same moment; the others take turns. They also wait for the disk."""
TURN = 0.2
"""Seconds after which a client's turn ends, so that clients of a slow disk and others get theirs."""
_PATIENCE = struct.pack("@ll", 0, 20_000)
"""How long a thread waits for a client that takes no more: 20 ms, as a ``struct timeval`` (socket(7), ``SO_SNDTIMEO``).

It waits in the kernel, within its call of sendfile(2). So a fast client costs neither a change of threads nor a call
for each time that its socket is full. Eight fast clients on one core also wait for each other: with 5 ms and turns of
50 ms they had 0.92 of nginx's speed, and now have 0.95 (``bench/assets.py``).
"""
LEAST, MOST = 256 << 10, 64 << 20
"""Bytes of one call of sendfile(2): as many as the client takes in a quarter of a turn, as fast as it took the last ones.

Between two calls a fast client waits for as long as it takes 100 KB. A slow one would keep a thread for all of a call.
"""
_LAST = 4096
"""Bytes of the last call: a client has a whole file only once all before them is known to be unchanged."""
_PIECE = 128 << 10
"""Bytes that are read and sent at once without sendfile.

A client of TLS costs more memory, about 1 MB: what is encrypted and not sent yet is kept, too.
"""


class FileSender:
    """A few threads, which send the files of all clients in turns; ``meter`` has what comes of that."""

    def __init__(self, meter: ProtocolMeter) -> None:
        self.meter = meter
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sendfile")

    async def send(self, client: socket.socket, file: FileSource, offset: int, count: int) -> None:
        """Send ``count`` bytes of a file to a client, by a connection without TLS that has nothing else to send.

        Raises ConnectionError when the client is gone, and AssetError when the file is changed or cannot be read.
        """
        try:
            await self._send(_Transfer(client, file, offset, count))
        except ConnectionError:
            raise
        except OSError as error:
            raise AssetError(f"cannot be sent: {error.strerror}; see the disk and the network") from error

    async def close(self) -> None:
        """Wait for the last turns; nothing may be sent any more."""
        await asyncio.to_thread(self._pool.shutdown)

    async def _send(self, transfer: "_Transfer") -> None:
        turn: Future[bool] | None = None
        try:
            while transfer.left:
                left = transfer.left
                turn = self._pool.submit(transfer.turn)
                is_willing = await asyncio.wrap_future(turn)
                self.meter.sent += left - transfer.left
                if not is_willing:
                    await transfer.writable()
        finally:
            if turn is None:
                transfer.close()
            else:  # it may still run when this is cancelled
                turn.add_done_callback(transfer.close)


class _Transfer:
    """What is left to send to one client, with descriptors of its own: no thread uses a number that is another's by now."""

    def __init__(self, client: socket.socket, file: FileSource, offset: int, count: int) -> None:
        self.left = count
        self._fitting = LEAST
        """Bytes of the next call."""
        self._offset = offset
        self._check = file.check
        self._client = client.dup()
        try:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # only full segments
            self._file = os.dup(file.descriptor)
        except OSError:
            self._client.close()
            raise

    def turn(self) -> bool:
        """Send a part of it, in a thread, and say whether the client may take more at once."""
        end = time.monotonic() + TURN
        self._client.settimeout(None)  # the kernel waits for the client, for _PATIENCE at most
        try:
            while self.left and (begun := time.monotonic()) < end:
                count = min(self._next, self._fitting)
                if not self._call(count):
                    return False
                if count > _LAST:
                    self._fitting = fitting(count, time.monotonic() - begun)
            return True
        finally:
            self._client.settimeout(0)  # as the event loop needs it

    @property
    def _next(self) -> int:
        """The most bytes of the next call."""
        return self.left - _LAST if self.left > _LAST else self.left

    def _call(self, count: int) -> bool:
        """Send up to ``count`` bytes, and say whether the client took all of them without a pause."""
        try:
            sent = os.sendfile(self._client.fileno(), self._file, self._offset, count)
        except BlockingIOError:
            return False
        self._check(self._file)
        if not sent:
            raise AssetError(SHORTER)
        self._offset += sent
        self.left -= sent
        return sent == count

    async def writable(self) -> None:
        """Wait until the client takes more, or is gone."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._client, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._client)

    def close(self, _turn: object = None) -> None:
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        self._client.close()
        os.close(self._file)


def fitting(count: int, seconds: float) -> int:
    """Return the bytes of the next call to a client that took ``count`` in so long."""
    return max(LEAST, min(MOST, int(count * TURN / 4 / max(seconds, 1e-6))))


@asynccontextmanager
async def set_aside(transport: asyncio.Transport, writer: AbstractStreamWriter) -> AsyncIterator[None]:
    """Have a connection send what it was given, and then nothing and read nothing, until the end of the block.

    A client that has said its last word gets its file as well.
    """
    is_reading = transport.is_reading()
    transport.pause_reading()
    transport.set_write_buffer_limits(0)
    try:
        await writer.drain()
        yield
    finally:
        transport.set_write_buffer_limits()
        if is_reading:
            transport.resume_reading()


async def pass_on(source: Source, response: web.StreamResponse, offset: int, end: int) -> None:
    """Send a part of a file piece by piece; raises AssetError when it ends early or cannot be read, and ConnectionError."""
    while offset < end:
        piece = await source.read(offset, min(_PIECE, end - offset))
        if not piece:
            raise AssetError(SHORTER)
        await response.write(piece)
        offset += len(piece)


@contextmanager
def breaking_off(request: web.BaseRequest) -> Iterator[None]:
    """End the connection where a file turns out to be faulty: what came of it is not taken for all of it.

    Raises ConnectionError then.
    """
    try:
        yield
    except AssetError as error:
        cast("GuardedConnection", request.protocol).abort()
        raise ConnectionError(str(error)) from error
