"""The end of what listens in the test's event loop."""

import asyncio
import socket


async def stop_accepting(listening: socket.socket) -> None:
    """Accept no more, and have what was accepted become connections of the server, which may be closed then.

    asyncio's server accepts in one step, and makes the connection in the next. Where it was closed between the two, the
    second step fails and leaves the socket to the garbage collector: https://github.com/python/cpython/issues/109564.
    """
    asyncio.get_running_loop().remove_reader(listening)
    await asyncio.sleep(0)
