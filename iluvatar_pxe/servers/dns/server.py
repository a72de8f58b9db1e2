"""The DNS server: its sockets, and what people ask about it."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from iluvatar_pxe.errors import OperationError, ServerError, WireError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.dns.answer import DnsAnswer
from iluvatar_pxe.servers.dns.recursion import Recursion
from iluvatar_pxe.servers.dns.resolver import Resolver
from iluvatar_pxe.servers.dns.tcp import TcpListener
from iluvatar_pxe.servers.dns.udp import UdpListener
from iluvatar_pxe.servers.dns.zones import Sources, Zones
from iluvatar_pxe.settings.model import DnsSettings
from iluvatar_pxe.wire.dns.name import Name, name_of, text_of
from iluvatar_pxe.wire.dns.query import Query, make_query, read_query
from iluvatar_pxe.wire.dns.records import describe, rcode_name, type_name
from iluvatar_pxe.wire.dns.reply import LONGEST_MESSAGE

_LOCALHOST = IPv4Address("127.0.0.1")


class _Listener:
    """One address, by UDP and TCP."""

    def __init__(self, udp: UdpListener, tcp: TcpListener) -> None:
        self.udp, self.tcp = udp, tcp
        self._started = False

    async def start(self) -> None:
        if not self._started:
            self._started = True
            self.udp.start()
            await self.tcp.start()

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


class DnsServer:
    """Answers for the fleet's names, and has others asked for, at the addresses that ``serve`` is told."""

    def __init__(self, settings: DnsSettings, sources: Sources, recursion: Recursion) -> None:
        self._settings = settings
        self._allowed = Allowed(settings.allow)
        self._recursion = recursion
        self._listeners = Bound(self._listen)
        self._running = False
        self.zones = Zones(sources, self._forget, frozenset(map(name_of, settings.forward)))
        self._resolver = Resolver(self.zones, recursion)

    @property
    def meter(self) -> ProtocolMeter:
        """What was asked by UDP and TCP."""
        return self._resolver.meter

    @property
    def listening(self) -> list[tuple[str, int]]:
        """The addresses and ports that are bound and answered."""
        return (
            [(str(one.tcp.address), self._settings.port) for one in self._listeners] if self._running else []
        )

    async def serve(self, interfaces: Sequence[Interface]) -> list[ServerError]:
        """Answer at the addresses of these interfaces and at no others; return an error for each that cannot be bound.

        Questions that come before ``run`` wait.
        """
        self._allowed.follow(interfaces)
        self._forget()
        self.zones.serve(interfaces)
        addresses = [one.address for one in interfaces] if self._settings.enabled else []
        errors = self._listeners.follow(addresses)
        await self._start()
        return errors

    async def run(self) -> None:
        """Answer, and follow what is told, until cancelled."""
        self._running = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self._recursion.run())
            group.create_task(self.zones.run())
            await self._start()

    def close(self) -> None:
        """Answer nothing more."""
        self._listeners.close()

    async def query(self, name: Name, kind: int) -> dict[str, Any]:
        """Ask as a client on this host would; return what is answered and where it comes from.

        Raises OperationError where DNS is not served, or where the answer holds what cannot be written as text.
        """
        if not self.listening:
            raise OperationError("DNS is not served here; see [dns] enabled, and [network] interfaces")
        here = IPv4Address(self.listening[0][0])
        asked = read_query(make_query(name, kind))
        later: asyncio.Future[DnsAnswer] = asyncio.get_running_loop().create_future()
        answer = self._resolver.answer(
            asked, here, str(_LOCALHOST), allowed=True, deliver=partial(_settle, later)
        )
        try:
            return _described(asked, answer or await later)
        except WireError as error:
            raise OperationError(f"{text_of(name)}: {error}; ask with dig") from error

    def flush(self) -> int:
        """Forget what others have answered; return how many answers there were."""
        self._forget()
        return self._recursion.flush()

    def statistics(self) -> dict[str, Any]:
        """Return how many questions were answered, from where, and what is remembered."""
        counts = dict(self._resolver.counts)
        counts["hot"] = self._resolver.hot_answers
        return {
            "answers": counts,
            "remembered": self._recursion.size,
            "connections": sum(len(listener.tcp.pool) for listener in self._listeners),
            "upstreams": self._recursion.statistics,
        }

    async def _start(self) -> None:
        if self._running:
            for listener in list(self._listeners):
                await listener.start()

    def _listen(self, address: IPv4Address) -> _Listener:
        port = self._settings.port
        tcp = TcpListener(address, port, self._resolver, self._allowed)
        try:
            udp = UdpListener(address, port, self._resolver, self._allowed)
        except ServerError as error:
            tcp.close()
            raise ServerError(f"{error}, or set [dns] enabled = false") from error.__cause__
        return _Listener(udp, tcp)

    def settle(self) -> None:
        """Answer who waits to learn which leaders are alive, where that is known now."""
        self._resolver.settle()

    def _forget(self) -> None:
        self._resolver.forget()
        for listener in self._listeners:
            listener.udp.forget()
        self.settle()


def _settle(later: asyncio.Future[DnsAnswer], answer: DnsAnswer) -> None:
    if not later.done():
        later.set_result(answer)


def _described(asked: Query, answer: DnsAnswer) -> dict[str, Any]:
    now = time.monotonic()
    reply = answer.reply(asked, now, limit=LONGEST_MESSAGE, recursion=True)
    return {
        "name": text_of(asked.name),
        "type": type_name(asked.type),
        "rcode": rcode_name(answer.body.rcode),
        "records": describe(reply),
        "origin": answer.origin,
        "remembered": answer.cached,
        "stale": answer.stale,
        "age": answer.age(now),
    }
