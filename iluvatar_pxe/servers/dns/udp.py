"""Questions by UDP. One that was answered a moment ago, in whatever spelling, is answered without being read."""

import asyncio
import socket
import time
from contextlib import suppress
from ipaddress import IPv4Address
from typing import TypeAlias

import structlog

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.host.udp import Peer, bind_udp
from iluvatar_pxe.host.udp_batch import PLACE, UdpBatch
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.dns.answer import DnsAnswer
from iluvatar_pxe.servers.dns.resolver import Resolver
from iluvatar_pxe.wire.dns.query import HEADER, Query, alike, read_query
from iluvatar_pxe.wire.dns.reply import fault_of

MOST_HOT = 4096
"""Questions whose answers lie ready, and clients that may have them."""
_AT_ONCE, _COLD_AT_ONCE = 64, 8
"""Questions of one turn, and those of them that have to be read: half a millisecond, so that a flood leaves other
protocols their turns."""
_ID = 2
"""Octets."""
_BUFFER = 1 << 20
"""Octets of questions that the kernel keeps while something else has its turn."""

_log = structlog.get_logger()


_Hot: TypeAlias = tuple[float, bytes, int, bytes, int, Query, DnsAnswer]
"""Until when the octets are good; what is before the question, after the id; where the question ends; what is behind it;
octets of the whole. Then what they were made of."""


class UdpListener:
    """One address of the daemon."""

    def __init__(self, address: IPv4Address, port: int, resolver: Resolver, allowed: Allowed) -> None:
        """Bind; raises ServerError."""
        self._socket = bind_udp(str(address), port)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._batch = UdpBatch(self._socket, _AT_ONCE)
        self._rest: asyncio.Handle | None = None
        self._address = address
        self._resolver = resolver
        self._allowed = allowed
        self._hot: dict[bytes, _Hot] = {}
        """By what such questions have in common."""
        self._clients: set[int] = set()
        """Who may have those, as the batch has them."""

    def start(self) -> None:
        """Answer what has come, and what comes."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def forget(self) -> None:
        """Take note that answers given until now may be wrong, or may be no longer for everyone who got them."""
        self._hot.clear()
        self._clients.clear()

    def close(self) -> None:
        """Free the port."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        if self._rest:
            self._rest.cancel()

    def _receive(self) -> None:
        if self._rest is None:
            self._go_through(self._batch.receive(), 0)

    def _go_through(self, lengths: list[int], start: int) -> None:
        """Answer a batch from its ``start`` on, up to a bound; the rest in the loop's next turn."""
        self._rest = None
        for _ in range(_COLD_AT_ONCE):
            start = self._answer_hot(lengths, start)
            if start == len(lengths):
                return
            self._answer_cold(start, lengths[start])
            start += 1
        if start < len(lengths):
            self._rest = asyncio.get_running_loop().call_soon(self._go_through, lengths, start)

    def _answer_hot(self, lengths: list[int], start: int) -> int:
        """Answer a batch from its ``start`` on, up to a question that has to be read; return its number.

        An answer is put around its question, where that lies.
        """
        octets, sizes, senders = self._batch.octets, self._batch.sizes, self._batch.clients
        hot, clients = self._hot, self._clients
        now = time.monotonic()
        received, number = 0, start
        for place, length in zip(range(start * PLACE, len(octets), PLACE), lengths[start:], strict=False):
            data = octets[place : place + length].tobytes()
            ready = hot.get(data[_ID:]) or hot.get(alike(data)[0])
            if ready and now >= ready[0]:
                ready = self._renewed(data, ready, now)
            if not ready or senders[number] not in clients:
                break
            _, head, end, tail, size, _, _ = ready
            octets[place + _ID : place + HEADER.size] = head
            octets[place + end : place + size] = tail
            sizes[number] = size
            received += length
            number += 1
        meter = self._resolver.meter
        meter.requests += number - start
        meter.received += received
        meter.sent += self._batch.send(start, number)
        return number

    def _answer_cold(self, number: int, length: int) -> None:
        """Read a question of the batch, and remember its sender."""
        peer = self._batch.sender(number)
        place = number * PLACE
        self._try_to_answer(self._batch.octets[place : place + length].tobytes(), peer)
        if peer[0] in self._allowed.clients:
            if len(self._clients) >= MOST_HOT:
                self._clients.clear()
            self._clients.add(self._batch.clients[number])

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
            self._keep(data, query, answer, until, reply)

    def _reply(
        self, query: Query, answer: DnsAnswer, peer: Peer, began: float, *, recursion: bool
    ) -> tuple[float, bytes]:
        now = time.monotonic()
        reply = answer.reply(query, now, limit=query.udp_limit, recursion=recursion)
        self._send(reply, peer, began)
        return answer.until(now), reply

    def _keep(self, data: bytes, query: Query, answer: DnsAnswer, until: float, reply: bytes) -> None:
        key, end = alike(data)
        if not key or end - HEADER.size != len(query.asked) or (query.edns is None) != (end == len(data)):
            return
        if len(self._hot) >= MOST_HOT:
            self._hot.clear()
        self._hot[key] = until, reply[_ID : HEADER.size], end, reply[end:], len(reply), query, answer

    def _renewed(self, data: bytes, old: _Hot, now: float) -> _Hot | None:
        """Let the TTLs of an answer count down, where it still is the one to a question; None where it is not."""
        _, _, end, _, _, query, answer = old
        if not self._resolver.still_answers(query, answer, now):
            return None
        reply = answer.reply(query, now, limit=query.udp_limit, recursion=True)
        new = answer.until(now), reply[_ID : HEADER.size], end, reply[end:], len(reply), query, answer
        self._hot[alike(data)[0]] = new
        return new

    def _send(self, reply: bytes, peer: Peer, began: float) -> None:
        """Send one datagram, which is lost where that cannot be done now: who asked asks again."""
        with suppress(OSError):
            self._socket.sendto(reply, peer)
            self._resolver.end(len(reply), began)
