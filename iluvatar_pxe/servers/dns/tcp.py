"""Questions by TCP (RFC 7766)."""

import asyncio
import socket
from ipaddress import IPv4Address

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool
from iluvatar_pxe.servers.dns.connection import Connection
from iluvatar_pxe.servers.dns.resolver import Resolver

MOST_CONNECTIONS, MOST_OF_CLIENT = 150, 50
_BACKLOG = 128


class TcpListener:
    """One address of the daemon."""

    def __init__(self, address: IPv4Address, port: int, resolver: Resolver, allowed: Allowed) -> None:
        """Bind; raises ServerError."""
        self.address = address
        self.pool = ConnectionPool("dns.crowded", each=MOST_OF_CLIENT, total=MOST_CONNECTIONS)
        self._connect = lambda: Connection(address, resolver, allowed, self.pool)
        self._socket = _bind(address, port)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections."""
        self._socket.listen(_BACKLOG)
        self._server = await asyncio.get_running_loop().create_server(self._connect, sock=self._socket)

    def close(self) -> None:
        """Free the port, and end the connections."""
        if self._server:
            self._server.close()
        self._socket.close()
        self.pool.disperse()


def _bind(address: IPv4Address, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)  # noqa: FBT003 - the kernel's own word
        sock.bind((str(address), port))
    except OSError as error:
        sock.close()
        remedy = "free it, set another [dns] port, or [dns] enabled = false"
        raise ServerError(f"TCP {address}:{port} cannot be bound: {error.strerror}; {remedy}") from error
    return sock
