"""One TCP connection of a client: several questions at once, answered in the order in which answers are known (RFC 7766)."""

import asyncio
import time
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.connection_pool import ConnectionPool
from iluvatar_pxe.servers.dns.answer import DnsAnswer
from iluvatar_pxe.servers.dns.resolver import Resolver
from iluvatar_pxe.wire.dns.query import Query, read_query
from iluvatar_pxe.wire.dns.reply import LONGEST_MESSAGE, fault_of

IDLE_SECONDS = 10.0
"""For so long a connection may send no whole question, and take no answer (RFC 7766, 6.2.3)."""
MOST_OUT = 100
"""Questions of one connection that wait for upstreams; more of them are read when those are answered."""
_LONGEST_QUERY = 4096

_log = structlog.get_logger()


class Connection(asyncio.Protocol):
    """One client: it may send its questions one octet at a time, but not for ever."""

    def __init__(
        self, address: IPv4Address, resolver: Resolver, allowed: Allowed, pool: ConnectionPool
    ) -> None:
        """``address`` is the daemon's own."""
        self._address = address
        self._resolver = resolver
        self._allowed = allowed
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._client = ""
        self._received = bytearray()
        self._out = 0
        self._blocked = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_served(self) -> bool:
        """Say whether a question waits for its answer, and the client takes answers."""
        return self._out > 0 and not self._blocked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the oldest connection ends where there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        self._transport = transport
        self._client = transport.get_extra_info("peername")[0]
        self._pool.enter(self, self._client)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Answers that come now are nobody's."""
        self._gone()

    def data_received(self, data: bytes) -> None:
        """Answer every question that is whole."""
        self._received += data
        self._read()

    def pause_writing(self) -> None:
        """Read no more while the client takes no answers."""
        self._blocked = True
        self._follow()

    def resume_writing(self) -> None:
        """Go on."""
        self._blocked = False
        self._wait()
        self._read()

    def abort(self) -> None:
        """End at once."""
        if self._transport:
            self._transport.abort()
        self._gone()

    def _gone(self) -> None:
        self._transport = None
        self._pool.leave(self)
        if self._timer:
            self._timer.cancel()

    def _wait(self) -> None:
        """Give the client its time, from now on."""
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._expire)

    def _expire(self) -> None:
        if self._out and not self._blocked:
            self._wait()
        else:
            self.abort()

    def _read(self) -> None:
        while self._transport and not self._blocked and self._out < MOST_OUT and len(self._received) >= 2:
            length = int.from_bytes(self._received[:2])
            if length > _LONGEST_QUERY:
                self.abort()
                return
            if len(self._received) < 2 + length:
                break
            message = bytes(self._received[2 : 2 + length])
            del self._received[: 2 + length]
            self._wait()
            self._pool.heard(self)
            self._try_to_answer(message)
        self._follow()

    def _follow(self) -> None:
        """Read on, or let the client wait: what it has sent is bounded then by what the kernel keeps."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._blocked or self._out >= MOST_OUT:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _try_to_answer(self, message: bytes) -> None:
        try:
            self._answer(message)
        except Exception as error:  # noqa: BLE001 - the last resort: one question must not stop the server
            _log.error("dns.failed", peer=self._client, error=repr(error))
            self.abort()

    def _answer(self, message: bytes) -> None:
        began = self._resolver.begin(len(message))
        try:
            query = read_query(message)
        except WireError:
            self._resolver.meter.faults["malformed"] += 1
            self.abort()
            return
        if query.fault is not None:
            self._resolver.counts["faulty"] += 1
            self._send(fault_of(query), began)
            return
        allowed = self._allowed.permits(self._client)
        self._out += 1

        def later(answer: DnsAnswer) -> None:
            self._deliver(query, answer, began, allowed=allowed)

        answer = self._resolver.answer(query, self._address, self._client, allowed=allowed, deliver=later)
        if answer is not None:
            self._deliver(query, answer, began, allowed=allowed)

    def _deliver(self, query: Query, answer: DnsAnswer, began: float, *, allowed: bool) -> None:
        full = self._out >= MOST_OUT
        self._out -= 1
        self._send(answer.reply(query, time.monotonic(), limit=LONGEST_MESSAGE, recursion=allowed), began)
        if full:
            self._read()

    def _send(self, reply: bytes, began: float) -> None:
        if self._transport:
            self._resolver.end(len(reply), began)
            self._transport.write(len(reply).to_bytes(2) + reply)
