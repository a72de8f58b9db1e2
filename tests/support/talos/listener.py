"""What hears a stand-in in its own tests: an event sink and a receiver of kernel logs that write everything down."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream
from support.ports import free_port

from iluvatar_pxe.layers.arda.api.protos.events_grpc import EventSinkServiceBase
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest, EventResponse


@dataclass
class Listener(EventSinkServiceBase):
    sink: str = ""
    kernel: str = ""
    events: list[tuple[str, EventRequest]] = field(default_factory=list)
    """Each with the address that it came from."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    @property
    def kinds(self) -> list[str]:
        return [request.data.type_url for _, request in self.events]

    async def Publish(self, stream: "Stream[EventRequest, EventResponse]") -> None:  # noqa: N802
        request = await stream.recv_message()
        assert request is not None
        source = stream.peer.addr()
        assert source is not None
        self.events.append((source[0], request))
        if self.refuses:
            raise GRPCError(Status.UNAVAILABLE)
        await stream.send_message(EventResponse())

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            async for line in reader:
                self.lines.append(json.loads(line))


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    sink, kernel = free_port(), free_port()
    listener = Listener(f"127.0.0.1:{sink}", f"tcp://127.0.0.1:{kernel}")
    server = Server([listener])
    await server.start("127.0.0.1", sink)
    logs = await asyncio.start_server(listener.hear, "127.0.0.1", kernel)
    try:
        yield listener
    finally:
        server.close()
        logs.close()
        await server.wait_closed()
