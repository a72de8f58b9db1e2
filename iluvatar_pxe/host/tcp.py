"""TCP sockets of servers."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import ExitStack
from ipaddress import IPv4Address

from iluvatar_pxe.errors import ServerError

_NON_BLOCKING_TCP = socket.SOCK_STREAM | socket.SOCK_NONBLOCK


def bind_tcp(address: IPv4Address, port: int, remedy: str) -> socket.socket:
    """Return a non-blocking socket that is bound, and does not listen yet.

    It names its protocol, without which neither asyncio nor grpclib sets TCP_NODELAY: each answer would take 40 ms.
    Raises ServerError with what else than to free the port helps.
    """
    with ExitStack() as undo:
        try:
            sock = undo.enter_context(socket.socket(socket.AF_INET, _NON_BLOCKING_TCP, socket.IPPROTO_TCP))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)  # noqa: FBT003 - the kernel's own word
            sock.bind((str(address), port))
        except OSError as error:
            text = f"TCP {address}:{port} cannot be bound: {error.strerror}; free it, {remedy}"
            raise ServerError(text) from error
        undo.pop_all()
    return sock


async def server_on(
    sock: socket.socket, connect: Callable[[], asyncio.Protocol], backlog: int
) -> asyncio.Server:
    """Return a server that accepts nothing before its ``start_serving``.

    Nothing is waited for here. So whoever keeps it can close it, if its start is cancelled: asyncio would go on
    watching a socket that was closed by others, and take the next one with the same number for it.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(connect, sock=sock, backlog=backlog, start_serving=False)
