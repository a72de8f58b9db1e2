"""Tells machines the time by NTP, as long as this host's own clock is in step with a time server.

A machine without a battery for its clock, or without internet, gets no certificate to work before it has the time.
Another program that has the port, such as ntpd, is left alone: it tells the time itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from functools import partial
from ipaddress import IPv4Address

import structlog
from msgspec import Struct

from iluvatar_pxe.errors import ServerError, WireError
from iluvatar_pxe.host.clock import clock_is_in_step
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.udp import Peer, UdpSocket
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.allowed import Allowed, Networks
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.ntp.asking import is_told_the_time
from iluvatar_pxe.settings.model import NtpSettings
from iluvatar_pxe.wire.ntp import UNKNOWN, NtpRequest, Told, decode_request, encode_reply

IN_STEP = Told(stratum=10, error=0.5)
"""How far this host is from a reference clock, nobody tells: who has other time servers, prefers them."""
FRESH_SECONDS = 30.0
"""For how long it counts that the clock is in step, or is not."""
LOOK_SECONDS = 300.0
"""Between two looks."""
MOST_WAITING = 256
"""Requests, while that is found out. The reply tells how long it took, so the time is right nevertheless."""
_UNKNOWN = (
    "a machine asks for the time, and this host's clock is not in step with a time server, so it is not told; "
    "see timedatectl"
)

_NOT_IN_STEP = "this host's clock is not in step with a time server, so no machine is told the time by it; see timedatectl"
_SILENT = (
    "another program has UDP {}, and does not tell machines the time; let it (chrony: allow), or stop it and restart the "
    "daemon"
)

_log = structlog.get_logger()


class _Asked(Struct, frozen=True):
    udp: UdpSocket
    peer: Peer
    request: NtpRequest
    received: int


class NtpServer:
    """One socket at each address; belongs to one event loop."""

    def __init__(
        self,
        settings: NtpSettings,
        allow: Networks,
        in_step: Callable[[], Awaitable[bool]] = clock_is_in_step,
    ) -> None:
        """``allow`` are the networks whose clients are answered."""
        self.meter = ProtocolMeter()
        self._settings = settings
        self._allowed = Allowed(allow)
        self._in_step = in_step
        self._told, self._until = UNKNOWN, 0.0
        self._own: frozenset[str] = frozenset()
        self._asked: asyncio.Queue[_Asked] = asyncio.Queue(MOST_WAITING)
        self._bound = Bound(self._listen)
        self._here: set[IPv4Address] = set()
        self._others: set[IPv4Address] = set()
        """Addresses at which the port is this server's, and at which it is another program's."""
        self.lines: Sequence[str] = ()
        """Why machines are not told the time, one line each."""
        self._unknown = Problem(
            lambda why: _log.warning("ntp.unknown", why=why), lambda: _log.info("ntp.known")
        )

    def serve(self, interfaces: Sequence[Interface]) -> None:
        """Take requests at the addresses of these interfaces and no others; where that is impossible, the log says why."""
        self._allowed.follow(interfaces)
        self._own = frozenset(str(one.address) for one in interfaces if not one.address.is_loopback)
        self._bound.follow([one.address for one in interfaces] if self._settings.enabled else ())

    async def run(self) -> None:
        """Answer requests, and look whether machines can be told the time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._answer())
            group.create_task(self._look())

    async def look(self) -> None:
        """Find out whether machines can be told the time."""
        self.lines = [line async for line in self._troubles()]

    async def _look(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _troubles(self) -> AsyncIterator[str]:
        if self._here and not await self._in_step():
            yield _NOT_IN_STEP
        for address in sorted(self._others):
            if not await is_told_the_time(str(address), self._settings.port):
                yield _SILENT.format(f"{address}:{self._settings.port}")

    async def _answer(self) -> None:
        while True:
            one = await self._asked.get()
            if time.monotonic() >= self._until:
                self._told = IN_STEP if await self._in_step() else UNKNOWN
                self._until = time.monotonic() + FRESH_SECONDS
                self._unknown.set(_UNKNOWN if self._told is UNKNOWN else None)
            reply = encode_reply(one.request, self._told, one.received, time.time_ns())
            one.udp.send(reply, one.peer)
            self.meter.sent += len(reply)
            self.meter.seconds.observe(max(0, time.time_ns() - one.received) / 1e9)
            if self._told is UNKNOWN:
                self.meter.faults["clock_not_in_step"] += 1

    def close(self) -> None:
        """Take nothing any more."""
        self._bound.close()

    def _listen(self, address: IPv4Address) -> ExitStack:
        listening = ExitStack()
        try:
            udp = UdpSocket.open(str(address), self._settings.port)
        except ServerError as error:
            _log.info("ntp.off", why=f"{error}; machines get the time from another server")
            self._others.add(address)
            listening.callback(self._others.discard, address)
            return listening
        udp.start(partial(self._receive, udp))
        self._here.add(address)
        listening.callback(self._here.discard, address)
        listening.callback(udp.close)
        return listening

    def _receive(self, udp: UdpSocket, data: bytes, peer: Peer) -> None:
        received, (host, _port) = time.time_ns(), peer
        self.meter.requests += 1
        self.meter.received += len(data)
        if why := self._refusal(host):
            self.meter.faults["refused"] += 1
            complain("ntp.refused", peer=host, why=why)
            return
        try:
            self._asked.put_nowait(_Asked(udp, peer, decode_request(data), received))
        except WireError as error:
            self.meter.faults["malformed"] += 1
            _log.debug("ntp.malformed", peer=host, why=str(error))
        except asyncio.QueueFull:
            self.meter.faults["crowded"] += 1
            complain("ntp.refused", peer=host, why=f"{MOST_WAITING} requests wait already")

    def _refusal(self, host: str) -> str:
        if host in self._own:
            return "this host cannot set its clock by itself"
        return "" if self._allowed.permits(host) else "its network is not in [http] allow"
