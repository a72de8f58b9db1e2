"""A stand-in for upstream resolvers that lie, stall, repeat themselves or cut off: on one port of loopback, by UDP and TCP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import cast

import dnslib
from support.ports import free_port

from iluvatar_pxe.settings.upstream import Address, Upstream

LOOPBACK, LOOPBACK_6 = IPv4Address("127.0.0.1"), IPv6Address("::1")
Say = Callable[[bytes], Iterable[bytes]]
"""From a question to the datagrams that come back, in their order."""


def answer(query: bytes, address: str = "192.0.2.1", **flags: int) -> bytes:
    """Return an honest answer to a question for an address, but for ``flags`` of its header."""
    reply = dnslib.DNSRecord.parse(query).reply()
    reply.add_answer(dnslib.RR(reply.q.qname, dnslib.QTYPE.A, ttl=60, rdata=dnslib.A(address)))
    for flag, value in flags.items():
        setattr(reply.header, flag, value)
    return bytes(reply.pack())


def failure(query: bytes, rcode: int) -> bytes:
    reply = dnslib.DNSRecord.parse(query).reply()
    reply.header.rcode = rcode
    return bytes(reply.pack())


@dataclass
class Liar:
    """``asked`` has every question by UDP, and the port that it came from; ``by_tcp`` those by TCP."""

    say: Say = lambda query: [answer(query)]
    talk: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]] | None = None
    """How a question by TCP is answered; None: honestly."""
    address: Address = LOOPBACK
    port: int = field(default_factory=free_port)
    asked: list[tuple[bytes, int]] = field(default_factory=list)
    by_tcp: list[bytes] = field(default_factory=list)

    @property
    def upstream(self) -> Upstream:
        return Upstream(self.address, self.port)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["Liar"]:
        """Answer while the block runs."""
        loop, host = asyncio.get_running_loop(), str(self.address)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), (host, self.port))
        server = await asyncio.start_server(self._serve, host, self.port)
        try:
            yield self
        finally:
            transport.close()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            self.by_tcp.append(query)
            if self.talk:
                await self.talk(query, writer)
            else:
                reply = answer(query, "192.0.2.99")
                writer.write(len(reply).to_bytes(2) + reply)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, liar: Liar) -> None:
        self._liar = liar

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._liar.asked.append((data, addr[1]))
        for reply in self._liar.say(data):
            self._transport.sendto(reply, addr)
