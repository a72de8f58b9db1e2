"""Questions by UDP. One that was answered a moment ago, in whatever spelling, is answered without being read."""

import asyncio
import socket
import time
from contextlib import suppress
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.udp import Peer, bind_udp
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.dns.answer import DnsAnswer
from iluvatar_pxe.servers.dns.resolver import Resolver
from iluvatar_pxe.wire.dns.query import HEADER, Query, alike, read_query
from iluvatar_pxe.wire.dns.reply import fault_of

MOST_HOT = 4096
"""Questions whose answers lie ready."""
_AT_ONCE, _COLD_AT_ONCE = 64, 8
"""Questions of one turn, and those of them that have to be read: half a millisecond, so that a flood leaves other
protocols their turns."""
_LONGEST_QUESTION = 1500
_ID = 2
"""Octets."""
_BUFFER = 1 << 20
"""Octets of questions that the kernel keeps while something else has its turn."""

_log = structlog.get_logger()


class UdpListener:
    """One address of the daemon."""

    def __init__(self, address: IPv4Address, port: int, resolver: Resolver, allowed: Allowed) -> None:
        """Bind; raises ServerError."""
        self._socket = bind_udp(str(address), port)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._address = address
        self._resolver = resolver
        self._allowed = allowed
        self._hot: dict[bytes, tuple[float, bytes, bytes]] = {}
        """By what such questions have in common: until when the answer is good; what is before the question, after the
        id; what is behind it."""

    def start(self) -> None:
        """Answer what has come, and what comes."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def forget(self) -> None:
        """Take note that answers given until now may be wrong."""
        self._hot.clear()

    def close(self) -> None:
        """Free the port."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _receive(self) -> None:
        """Answer what has come, up to a bound. What is hot is answered on the spot: a call would cost a tenth of it."""
        receive, send = self._socket.recvfrom, self._socket.sendto
        meter = self._resolver.meter
        hot, clients = self._hot, self._allowed.clients
        now = time.monotonic()
        cold = 0
        for _ in range(_AT_ONCE):
            try:
                data, peer = receive(_LONGEST_QUESTION)
                key, end = alike(data)
                ready = hot.get(key)
                if ready and now < ready[0] and peer[0] in clients:
                    meter.sent += send(data[:2] + ready[1] + data[12:end] + ready[2], peer)
                    meter.received += len(data)
                    meter.requests += 1
                    continue
            except BlockingIOError:  # nothing more there
                return
            except OSError:  # an answer that cannot be sent is lost, as on the wire
                continue
            self._try_to_answer(data, peer)
            if (cold := cold + 1) == _COLD_AT_ONCE:
                return

    def _try_to_answer(self, data: bytes, peer: Peer) -> None:
        try:
            self._answer(data, peer)
        except Exception as error:  # noqa: BLE001 - the last resort: one question must not stop the server
            _log.error("dns.failed", peer=peer, error=repr(error))

    def _answer(self, data: bytes, peer: Peer) -> None:
        began = self._resolver.begin(len(data))
        try:
            query = read_query(data)
        except WireError:
            self._resolver.meter.faults["malformed"] += 1
            return
        if query.fault is not None:
            self._resolver.counts["faulty"] += 1
            self._send(fault_of(query), peer, began)
            return
        allowed = self._allowed.permits(peer[0])

        def later(answer: DnsAnswer) -> None:
            self._reply(query, answer, peer, began, recursion=allowed)

        answer = self._resolver.answer(query, self._address, peer[0], allowed=allowed, deliver=later)
        if answer is None:
            return
        until, reply = self._reply(query, answer, peer, began, recursion=allowed)
        if allowed:
            self._keep(data, query, until, reply)

    def _reply(
        self, query: Query, answer: DnsAnswer, peer: Peer, began: float, *, recursion: bool
    ) -> tuple[float, bytes]:
        now = time.monotonic()
        reply = answer.reply(query, now, limit=query.udp_limit, recursion=recursion)
        self._send(reply, peer, began)
        return answer.until(now), reply

    def _keep(self, data: bytes, query: Query, until: float, reply: bytes) -> None:
        key, end = alike(data)
        if not key or end - HEADER.size != len(query.asked) or (query.edns is None) != (end == len(data)):
            return
        if len(self._hot) >= MOST_HOT:
            self._hot.clear()
        self._hot[key] = until, reply[_ID : HEADER.size], reply[end:]

    def _send(self, reply: bytes, peer: Peer, began: float) -> None:
        """Send one datagram, which is lost where that cannot be done now: who asked asks again."""
        with suppress(OSError):
            self._socket.sendto(reply, peer)
            self._resolver.end(len(reply), began)
