"""A TFTP client whose every move a test makes, and a server for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from iluvatar_pxe.assets.source import BytesSource, FileReply, Source
from iluvatar_pxe.servers.connection_pool import MacOf
from iluvatar_pxe.servers.tftp.server import TftpServer, TransferReport
from iluvatar_pxe.servers.tftp.session import OpenFile
from iluvatar_pxe.settings.model import TftpSettings
from iluvatar_pxe.wire.tftp.packet import (
    Ack,
    Data,
    Packet,
    ReadRequest,
    decode,
    encode,
)

ONE = IPv4Address("127.0.0.1")
TWO = IPv4Address("127.0.0.2")
FILE = bytes(i % 251 for i in range(3000))
FILES = {"nbp": FILE, "other": b"other", "text": b"one\ntwo\r\n", "huge": bytes(16 * 1024 * 1024 + 1)}
NOBODY: dict[IPv4Address, str] = {}
"""Stands in for the kernel's neighbour table, which has no loopback in it."""
Name = tuple[str, int]
PATIENCE = 20
"""Seconds after which a test is broken; nothing waits for so long."""


class Peer:
    """A client's socket; the test makes every move."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((address, port))
        self.name: Name = self.socket.getsockname()

    def send(self, packet: Packet | bytes, to: Name) -> None:
        self.socket.sendto(packet if isinstance(packet, bytes) else encode(packet), to)

    async def receive(self) -> tuple[Packet, Name]:
        async with asyncio.timeout(PATIENCE):
            data, sender = await asyncio.get_running_loop().sock_recvfrom(self.socket, 65535)
        return decode(data), sender

    async def data(self) -> Data:
        packet, _ = await self.receive()
        assert isinstance(packet, Data)
        return packet

    async def ask(self, server: TftpServer, packet: Packet | bytes) -> tuple[Packet, Name]:
        self.send(packet, server.listening[0])
        return await self.receive()

    async def finish(self, packet: Packet, tid: Name) -> bytes:
        """Take the rest of the file, starting with a packet that has arrived."""
        got = bytearray()
        while not isinstance(packet, Data) or len(packet.payload) == 512:
            if isinstance(packet, Data):
                got += packet.payload
            self.send(Ack(getattr(packet, "block", 0)), tid)
            packet, sender = await self.receive()
            assert sender == tid
        self.send(Ack(packet.block), tid)
        return bytes(got + packet.payload)

    async def fetch(self, server: TftpServer, name: str, *options: tuple[str, str]) -> bytes:
        return await self.finish(*await self.ask(server, ReadRequest(name, "octet", options)))

    def assert_silent(self) -> None:
        with pytest.raises(BlockingIOError):
            self.socket.recv(1)


MakePeer = Callable[..., Peer]


@contextmanager
def peers() -> Iterator[MakePeer]:
    """A maker of peers, and their end."""
    made: list[Peer] = []

    def make(**place: Any) -> Peer:
        made.append(Peer(**place))
        return made[-1]

    yield make
    for each in made:
        each.socket.close()


class Reports(asyncio.Queue[TransferReport]):
    async def next(self) -> TransferReport:
        async with asyncio.timeout(PATIENCE):
            return await self.get()


async def open_file(name: str, _client: IPv4Address, _server: IPv4Address) -> Source | None:
    return BytesSource(FILES[name]) if name in FILES else None


Find = Callable[[str, IPv4Address, IPv4Address], Awaitable[Source | None]]


def replying(find: Find) -> OpenFile:
    """Serve what is found, for a server whose reports nobody looks for a record in."""

    async def open_reply(name: str, client: IPv4Address, server: IPv4Address) -> FileReply | None:
        source = await find(name, client, server)
        return FileReply(source, lambda _size, _milliseconds: True) if source else None

    return open_reply


@asynccontextmanager
async def serving(
    find: Find = open_file,
    *,
    addresses: Sequence[IPv4Address] = (ONE,),
    mac_of: MacOf = NOBODY.get,
    max_transfers: int = 256,
    **settings: Any,
) -> AsyncIterator[tuple[TftpServer, Reports]]:
    """A running server on ports that the kernel chose, and the queue of its reports."""
    reports = Reports()
    chosen = TftpSettings(**settings).model_copy(update={"port": 0})
    server = TftpServer(chosen, replying(find), reports.put_nowait, mac_of, max_transfers=max_transfers)
    assert not server.serve(addresses)
    task = asyncio.create_task(server.run())
    try:
        yield server, reports
    finally:
        await server.drain(0)
        await task
