"""What a stand-in reports by itself: events to the sink of its configuration, and its kernel log."""

import asyncio
import base64
import itertools
import json
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from grpclib.client import Channel, Handler
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.protocol import H2Protocol
from support.talos.clock import Clock

from iluvatar_pxe.layers.arda.api.protos.events_grpc import EventSinkServiceStub
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest

_BUFFER = 990
_RETRY_SECONDS = 1.0
_SEND_SECONDS = 5.0
_counter = itertools.count()


def new_xid(clock: Clock) -> str:
    """Return an id as Talos gives to events: 20 characters that sort by time."""
    raw = int(clock.now().timestamp()).to_bytes(4, "big") + secrets.token_bytes(5)
    raw += (next(_counter) % 2**24).to_bytes(3, "big")
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


class ChannelFrom(Channel):
    """A connection that comes from the machine's own address."""

    def __init__(self, host: str, port: int, source: str) -> None:
        super().__init__(host, port)
        self._source = source

    async def _create_connection(self) -> H2Protocol:
        _, protocol = await self._loop.create_connection(
            self._protocol_factory, self._host, self._port, local_addr=(self._source, 0)
        )
        assert isinstance(protocol.handler, Handler)
        if protocol.handler.connection_lost:  # as soon as it was made; grpclib would use what it has deleted
            raise ConnectionResetError
        return protocol


class Events:
    """The events of one boot, sent in order until each is acknowledged."""

    def __init__(self, source: str, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._buffer: list[EventRequest] = []
        self._sent = 0
        self._new = asyncio.Event()
        self.delivered = asyncio.Event()
        """Whether every event is acknowledged."""

    def publish(self, message: Message, actor: str = "") -> None:
        data = AnyMessage()
        data.Pack(message, type_url_prefix="type.googleapis.com")
        self._buffer.append(EventRequest(data=data, id=new_xid(self._clock), actor_id=actor))
        if len(self._buffer) > _BUFFER:
            del self._buffer[0]
            self._sent = max(self._sent - 1, 0)
        self.delivered.clear()
        self._new.set()

    def replay(self) -> None:
        """Send the whole buffer once more, as after a restart of what sends it."""
        self._sent = 0
        self._new.set()

    async def send(self, endpoint: str) -> None:
        """Send to ``host:port`` until cancelled."""
        host, _, port = endpoint.rpartition(":")
        while True:
            with suppress(OSError, GRPCError, StreamTerminatedError, TimeoutError):
                async with ChannelFrom(host.strip("[]"), int(port), self._source) as channel:
                    await self._send_by(EventSinkServiceStub(channel))
            await self._clock.sleep(_RETRY_SECONDS)

    async def _send_by(self, sink: EventSinkServiceStub) -> None:
        while True:
            while self._sent < len(self._buffer):
                await sink.Publish(self._buffer[self._sent], timeout=_SEND_SECONDS)
                self._sent += 1
            self.delivered.set()
            self._new.clear()
            await self._new.wait()


class KernelLog:
    """The kernel's log of one boot, with Talos' own lines: sent from its beginning at each connection."""

    def __init__(self, source: str, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._booted = time.monotonic()
        self.lines: list[dict[str, object]] = []
        self._new = asyncio.Event()
        self._replays = 0

    def write(self, message: str, level: str = "info") -> None:
        """Add a line of Talos' own, as it goes through the kernel."""
        moment = self._clock.now().isoformat().replace("+00:00", "Z")
        line = {
            "clock": int((time.monotonic() - self._booted) * 1_000_000),
            "facility": "user",
            "msg": f"[talos] {message}\n",
            "priority": {"error": "err", "warn": "warning"}.get(level, level),
            "seq": len(self.lines),
            "talos-level": level,
            "talos-time": moment,
        }
        self.lines.append(line)
        self._new.set()

    @property
    def text(self) -> str:
        return "".join(str(line["msg"]) for line in self.lines)

    def replay(self) -> None:
        """Send everything once more from seq 0, as after a restart of what sends it."""
        self._replays += 1
        self._new.set()

    async def send(self, url: str) -> None:
        """Send to ``tcp://host:port`` or ``udp://host:port`` until cancelled; a line that failed is sent again."""
        parts = urlsplit(url)
        connect = self._by_tcp if parts.scheme == "tcp" else self._by_udp
        progress = _Progress()
        while True:
            with suppress(OSError):
                await connect(parts.hostname or "", parts.port or 0, progress)
            await self._clock.sleep(_RETRY_SECONDS)

    async def _by_tcp(self, host: str, port: int, progress: "_Progress") -> None:
        reader, writer = await asyncio.open_connection(host, port, local_addr=(self._source, 0))
        gone: asyncio.Future[object] = asyncio.ensure_future(reader.read())
        try:
            while not gone.done():
                for line in self._unsent(progress):
                    writer.write(json.dumps(line, sort_keys=True).encode() + b"\n")
                    await writer.drain()
                    progress.lines += 1
                await self._wait_for_more(progress, gone)
        finally:
            gone.cancel()
            writer.close()

    async def _by_udp(self, host: str, port: int, progress: "_Progress") -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(host, port), local_addr=(self._source, 0)
        )
        try:
            while True:
                for line in self._unsent(progress):
                    transport.sendto(json.dumps(line, sort_keys=True).encode())
                    progress.lines += 1
                await self._wait_for_more(progress)
        finally:
            transport.close()

    def _unsent(self, progress: "_Progress") -> list[dict[str, object]]:
        if progress.replays != self._replays:
            progress.replays, progress.lines = self._replays, 0
        return self.lines[progress.lines :]

    async def _wait_for_more(self, progress: "_Progress", *ends: asyncio.Future[object]) -> None:
        self._new.clear()
        if self._unsent(progress):
            return
        more: asyncio.Future[object] = asyncio.ensure_future(self._new.wait())
        waited: list[asyncio.Future[object]] = [more, *ends]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            more.cancel()


@dataclass
class _Progress:
    """How far one destination is."""

    lines: int = 0
    replays: int = 0
