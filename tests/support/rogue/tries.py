"""Going a way to its end: what is sent, and every byte that comes back."""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from google.protobuf.any_pb2 import Any as AnyMessage
from grpclib.exceptions import GRPCError, StreamTerminatedError
from support.firmware_dhcp import broadcasting, frame_of
from support.rights import without_root
from support.rogue.kinds_http import request
from support.rogue.knowledge import Knowledge
from support.rogue.ways import By, Way
from support.talos.reporting import ChannelFrom

from iluvatar_pxe.lab.room.network import INTERFACE
from iluvatar_pxe.layers.arda.api.protos.events_grpc import EventSinkServiceStub
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest
from iluvatar_pxe.wire.pxe import SIMULATED
from iluvatar_pxe.wire.tftp.packet import Ack, Data, ReadRequest, decode, encode

SECONDS = 3.0
QUIET = 0.3
"""Seconds after which nothing more comes."""
MOST = 1 << 20
"""Bytes of an answer that are read; the configuration of a control plane with Argo CD has half as many."""
_PORTS = {By.HTTP: 8080, By.HTTPS: 8443, By.DHCP: 8080}
_BLOCK = 512
_TICKET = re.compile(rb"/talos/[\w-]{48}/config\.yaml")
_MADE_UP = re.compile(rb"^machine:\s", re.MULTILINE)
"""With it begins the configuration of a simulated machine, in which every secret is made up."""


class Rogue:
    """Has an address of its own on the daemon's network."""

    def __init__(self, known: Knowledge, control: Path) -> None:
        self.known, self.control = known, control
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._ways: dict[By, Callable[[Way], Awaitable[bytes]]] = {
            By.TFTP: self._tftp, By.DNS: self._dns, By.EVENTS: self._events, By.KERNEL_LOG: self._kernel_log,
            By.DHCP: self._dhcp, By.FILE: self._file, By.SOCKET: self._socket,
        }  # fmt: skip

    async def go(self, way: Way) -> list[bytes]:
        """Return what each of its requests was answered with."""
        attempt = self._ways.get(way.by, self._http)
        return await asyncio.gather(*(self._in_time(attempt(way)) for _ in range(way.together)))

    async def _in_time(self, attempt: Awaitable[bytes]) -> bytes:
        with suppress(OSError, TimeoutError, GRPCError, StreamTerminatedError, asyncio.IncompleteReadError):
            async with asyncio.timeout(SECONDS):
                return await attempt
        return b""

    async def _http(self, way: Way) -> bytes:
        context = self._tls if way.by is By.HTTPS else None
        answer = await self._exchange(way.sent, _PORTS[way.by], context)
        return await self._in_earnest(answer) if SIMULATED in way.sent else answer

    async def _in_earnest(self, rehearsed: bytes) -> bytes:
        """Redeem the ticket that a simulated machine was given as if it were a real one's."""
        if ticket := _TICKET.search(rehearsed):
            return await self._exchange(request(ticket[0].decode()), _PORTS[By.HTTP])
        return _MADE_UP.sub(b"", rehearsed)

    async def _exchange(self, sent: bytes, port: int, context: ssl.SSLContext | None = None) -> bytes:
        reader, writer = await asyncio.open_connection(
            self.known.server, port, ssl=context, local_addr=(self.known.source, 0)
        )
        return await _answered(reader, writer, sent)

    async def _dhcp(self, way: Way) -> bytes:
        """Ask for a boot as firmware does, then for the script."""
        message, slash, asked = way.sent.partition(b"/ipxe?")
        with broadcasting(INTERFACE) as sock:
            sock.send(frame_of(sock, message))
        return await self._exchange(request((slash + asked).decode()), _PORTS[way.by])

    async def _tftp(self, way: Way) -> bytes:
        loop, got = asyncio.get_running_loop(), bytearray()
        with self._datagrams() as sock:
            await loop.sock_sendto(
                sock, encode(ReadRequest(way.sent.decode(), "octet")), (self.known.server, 69)
            )
            while True:
                octets, peer = await loop.sock_recvfrom(sock, 65535)
                packet = decode(octets)
                if not isinstance(packet, Data):
                    return bytes(got) + octets
                got += packet.payload
                await loop.sock_sendto(sock, encode(Ack(packet.block)), peer)
                if len(packet.payload) < _BLOCK:
                    return bytes(got)

    async def _dns(self, way: Way) -> bytes:
        kind, _, name = way.sent.decode().partition(" ")
        words = ("dig", f"@{self.known.server}", "+tries=1", "+time=1", "+noidn", name, kind)
        dig = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        try:
            return (await dig.communicate())[0]
        finally:
            if dig.returncode is None:
                dig.kill()

    async def _events(self, way: Way) -> bytes:
        name, event_id, value = way.sent.split(b" ", 2)
        data = AnyMessage(type_url=f"type.googleapis.com/machine.{name.decode()}", value=value)
        async with ChannelFrom(self.known.server, 3333, self.known.source) as channel:
            sink = EventSinkServiceStub(channel)
            answer = await sink.Publish(EventRequest(data=data, id=event_id.decode()), timeout=SECONDS)
        return answer.SerializeToString()

    async def _kernel_log(self, way: Way) -> bytes:
        kind, _, line = way.sent.partition(b" ")
        if kind == b"tcp":
            _, writer = await asyncio.open_connection(
                self.known.server, 3334, local_addr=(self.known.source, 0)
            )
            writer.write(line)
            writer.close()
            await writer.wait_closed()
            return b""
        with self._datagrams() as sock:
            await asyncio.get_running_loop().sock_sendto(sock, line, (self.known.server, 3334))
        return b""

    async def _file(self, way: Way) -> bytes:
        with without_root():
            return _read(way.sent.decode())

    async def _socket(self, way: Way) -> bytes:
        with without_root():
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(SECONDS)
            sock.connect(str(self.control))
        reader, writer = await asyncio.open_connection(sock=sock)
        return await _answered(reader, writer, way.sent)

    def _datagrams(self) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.settimeout(0)
        sock.bind((self.known.source, 0))
        return sock


def _read(path: str) -> bytes:
    return Path(path).read_bytes()[:MOST]


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> bytes:
    """Send, and return what comes until the server has said everything, or too much."""
    got = bytearray()
    try:
        writer.write(sent)
        await writer.drain()
        while len(got) < MOST and (
            chunk := await asyncio.wait_for(reader.read(1 << 16), QUIET if got else SECONDS)
        ):
            got += chunk
    except (OSError, TimeoutError):
        if not got:
            raise
    finally:
        writer.close()
    return bytes(got)
