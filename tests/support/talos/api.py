"""The API of a stand-in on port 50000: who may ask what, and the services behind it."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.events import RecvRequest, listen
from grpclib.exceptions import GRPCError
from grpclib.server import Server
from support.talos.api_machine import MachineService
from support.talos.api_resources import StateService
from support.talos.api_small import LifecycleService, PullService, StorageService, TimeService
from support.talos.certificates import caller
from support.talos.roles import may

if TYPE_CHECKING:
    from support.talos.boot import Boot

PORT = 50000


class Api:
    """One listening API at a time: of maintenance, or of a machine with a complete configuration."""

    def __init__(self, boot: "Boot") -> None:
        self._boot = boot
        self._server: Server | None = None
        self._started: asyncio.Future[None] | None = None
        self._transports: set[asyncio.BaseTransport] = set()

    async def serve(self, context: ssl.SSLContext) -> None:
        await self.close()
        services = (MachineService, StateService, StorageService, TimeService, LifecycleService, PullService)
        server = Server([service(self._boot) for service in services])
        listen(server, RecvRequest, self._admit)
        start = server.start(self._boot.machine.address, PORT, ssl=context, reuse_address=True)
        self._server, self._started = server, asyncio.ensure_future(start)
        await asyncio.shield(self._started)  # a power cut in the middle of it leaves a socket to close

    async def close(self) -> None:
        """Stop listening, and break all connections."""
        server, self._server = self._server, None
        for transport in self._transports:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        self._transports.clear()
        if server is not None and self._started is not None:
            await self._started
            server.close()
            await server.wait_closed()

    async def _admit(self, event: RecvRequest) -> None:
        transport = event.peer._transport
        self._transports.add(transport)
        client = caller(event.peer)
        if not client.is_usable:  # Talos refuses it in the handshake, which a client notices no earlier
            transport.abort()
            raise GRPCError(Status.UNAVAILABLE)
        await self._boot.machine.answers.wait()
        if not may(event.method_name, client.roles, is_maintenance=self._boot.is_in_maintenance):
            raise GRPCError(Status.PERMISSION_DENIED, "not authorized")
