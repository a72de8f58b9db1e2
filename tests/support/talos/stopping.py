"""The end of what listens in the test's event loop."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def listening(
    runner: web.AppRunner, address: str, port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Have a server listen while the block lasts, and give its port; port 0 is any."""
    await runner.setup()
    sock = socket.create_server((address, port))
    try:
        await web.SockSite(runner, sock, ssl_context=context).start()
        yield int(sock.getsockname()[1])
    finally:
        await stop_accepting(sock)
        await runner.cleanup()


async def stop_accepting(listening: socket.socket) -> None:
    """Accept no more, and have what was accepted become connections of the server, which may be closed then.

    asyncio's server accepts in one step, and makes the connection in the next. Where it was closed between the two, the
    second step fails and leaves the socket to the garbage collector: https://github.com/python/cpython/issues/109564.
    """
    asyncio.get_running_loop().remove_reader(listening)
    await asyncio.sleep(0)
