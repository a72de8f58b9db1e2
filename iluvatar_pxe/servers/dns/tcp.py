"""Questions by TCP (RFC 7766)."""

import asyncio
from ipaddress import IPv4Address

from iluvatar_pxe.host.tcp import bind_tcp, server_on
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
        self._socket = bind_tcp(address, port, "set another [dns] port, or [dns] enabled = false")
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept connections."""
        self._server = await server_on(self._socket, self._connect, _BACKLOG)
        await self._server.start_serving()

    def close(self) -> None:
        """Free the port, and end the connections."""
        if self._server:
            self._server.close()
        self._socket.close()
        self.pool.disperse()
