"""The sockets that Talos machines report to, on loopback, and a client that reports as Talos does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from grpclib.client import Channel
from support.interfaces import read_interface
from support.ports import free_port

from iluvatar_pxe.layers.arda.api.protos.events_grpc import EventSinkServiceStub
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest
from iluvatar_pxe.layers.arda.events import Body, Event, TakeEvent
from iluvatar_pxe.layers.arda.kernel_log import KernelLogLine
from iluvatar_pxe.servers.talos.kernel_log import TakeLine
from iluvatar_pxe.servers.talos.server import TalosServer
from iluvatar_pxe.settings.model import Settings, TalosSettings

HERE = "127.0.0.1"


@dataclass
class Reports:
    """What arrived, and where to report."""

    event_port: int
    log_port: int
    server: TalosServer | None = None
    events: list[tuple[IPv4Address, Event]] = field(default_factory=list)
    lines: list[tuple[IPv4Address, KernelLogLine]] = field(default_factory=list)
    datagrams: list[tuple[IPv4Address, KernelLogLine]] = field(default_factory=list)
    """What came by UDP."""

    @property
    def bodies(self) -> list[Body]:
        return [event.body for _, event in self.events]

    @property
    def messages(self) -> list[str]:
        return [line.message for _, line in self.lines]


@asynccontextmanager
async def receiving(
    take_event: TakeEvent | None = None, take_line: TakeLine | None = None
) -> AsyncIterator[Reports]:
    got = Reports(free_port(), free_port())
    settings = Settings(talos=TalosSettings(event_port=got.event_port, kernel_log_port=got.log_port))
    got.server = TalosServer(
        settings,
        take_event or (lambda address, event: got.events.append((address, event))),
        take_line or (lambda address, line: got.lines.append((address, line))),
        lambda address, line: got.datagrams.append((address, line)),
        lambda _: None,
    )
    running = asyncio.create_task(got.server.run())
    try:
        assert await got.server.serve([read_interface("lo")]) == []
        yield got
    finally:
        got.server.close()
        running.cancel()


@asynccontextmanager
async def publisher(port: int) -> AsyncIterator[EventSinkServiceStub]:
    async with Channel(HERE, port) as channel:
        yield EventSinkServiceStub(channel)


def event(name: str, message: Message | bytes, event_id: str = "") -> EventRequest:
    value = message if isinstance(message, bytes) else message.SerializeToString()
    return EventRequest(
        data=AnyMessage(type_url=f"type.googleapis.com/machine.{name}", value=value), id=event_id
    )
