"""The API of a stand-in on port 50000: who may ask what, and the services behind it."""

import asyncio
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.protocol import H2Protocol
from support.talos.api_machine import MachineService
from support.talos.api_resources import StateService
from support.talos.api_small import LifecycleService, PullService, StorageService, TimeService
from support.talos.certificates import caller
from support.talos.roles import may
from support.talos.stopping import stop_accepting

from iluvatar_pxe.layers.grpclib_internals import CustomServer

if TYPE_CHECKING:
    from support.talos.boot import Boot

PORT = 50000


class Connections:
    """Those of one server. All are broken at once, and what is still shaking hands then as soon as it has."""

    def __init__(self) -> None:
        self._open: set[asyncio.Transport] = set()
        self._are_broken = False

    def opened(self, transport: asyncio.Transport) -> None:
        self._open.add(transport)
        if self._are_broken:
            transport.abort()

    def lost(self, transport: asyncio.Transport) -> None:
        self._open.discard(transport)

    def break_all(self) -> None:
        self._are_broken = True
        for transport in self._open:
            transport.abort()


class _Connection(H2Protocol):
    def __init__(self, *how: Any, connections: Connections) -> None:
        super().__init__(*how)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.opened(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.lost(self._transport)
        super().connection_lost(exc)


class Api:
    """One listening API at a time: of maintenance, or of a machine with a complete configuration."""

    def __init__(self, boot: "Boot") -> None:
        self._boot = boot
        self._server: CustomServer | None = None
        self._listening: socket.socket | None = None
        self._started: asyncio.Future[None] | None = None
        self._connections = Connections()

    async def serve(self, context: ssl.SSLContext) -> None:
        await self.close()
        services = (MachineService, StateService, StorageService, TimeService, LifecycleService, PullService)
        self._connections = Connections()
        connect = partial(_Connection, connections=self._connections)
        server = CustomServer([service(self._boot) for service in services], connect, Configuration())
        listen(server, RecvRequest, self._admit)
        self._listening = socket.create_server((self._boot.machine.address, PORT))
        start = server.start(sock=self._listening, ssl=context)
        self._server, self._started = server, asyncio.ensure_future(start)
        await asyncio.shield(self._started)  # a power cut in the middle of it leaves a socket to close

    async def close(self) -> None:
        """Stop listening, and break all connections."""
        server, self._server = self._server, None
        self._connections.break_all()
        if server is not None and self._started is not None and self._listening is not None:
            await self._started
            await stop_accepting(self._listening)
            server.close()
            await server.wait_closed()

    async def _admit(self, event: RecvRequest) -> None:
        client = caller(event.peer)
        if not client.is_usable:  # Talos refuses it in the handshake, which a client notices no earlier
            event.peer._transport.abort()
            raise GRPCError(Status.UNAVAILABLE)
        await self._boot.machine.answers.wait()
        if not may(event.method_name, client.roles, is_maintenance=self._boot.is_in_maintenance):
            raise GRPCError(Status.PERMISSION_DENIED, "not authorized")
