"""The TFTP server (RFC 1350, read-only): listeners, admission of requests, and an orderly stop."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address

import structlog
from msgspec import Struct

from iluvatar_pxe.assets.source import FileReply
from iluvatar_pxe.errors import ServerError, WireError
from iluvatar_pxe.host.garbage import give_back_memory
from iluvatar_pxe.host.udp import Peer, UdpSocket
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.ratelimit import Complaints
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.connection_pool import MacOf, nic_at
from iluvatar_pxe.servers.tftp.ports import Conversation, TransferPorts
from iluvatar_pxe.servers.tftp.session import OpenFile, Session
from iluvatar_pxe.settings.model import TftpSettings
from iluvatar_pxe.wire.tftp.options import Limits
from iluvatar_pxe.wire.tftp.packet import Error, ErrorCode, ReadRequest, WriteRequest, decode, encode
from iluvatar_pxe.wire.tftp.transfer import Ending, Outcome

SELF_CHECK = WriteRequest("self-check", "octet")
"""Refused like every other, but without a line of log: the daemon asks itself so, see ``self_check``."""
_MODES = ("octet", "netascii")
_MAX_PER_NIC = 32
"""Transfers of one NIC at once; a machine that boots needs one or two."""
_QUIET = 5.0
"""Seconds after the end of a transfer, if no other one ends, until the memory that they took is given back."""
_FAULTS = frozenset({Outcome.ABORTED, Outcome.FAILED, Outcome.TIMEOUT})
_COMPLAINT_INTERVAL = 10
"""Seconds between two log lines about the same kind of nuisance."""

_log = structlog.get_logger()


class TransferReport(Struct, frozen=True):
    """What became of one read request."""

    client: Peer
    filename: str
    """As the client wrote it."""
    outcome: Outcome
    bytes: int
    """Bytes of the file that the client acknowledged."""
    milliseconds: int
    """From the request to the end."""
    blksize: int
    windowsize: int
    reason: str
    reply: FileReply | None = None
    """The file that was sent; None where there was none."""


class TftpServer:
    """Serves files on the TFTP port of the addresses that ``serve`` is told.

    ``open_file`` gets the name as the client wrote it, the client's address and the one it asked; which names there are is its
    business alone, no path is touched here. ``report`` is called once for every read request that was
    admitted and not evicted, and must not raise. A request beyond ``max_transfers`` at once, beyond 32 of one
    NIC (``mac_of``), or without a free port evicts the oldest transfer (of that NIC, in the second case) that never
    had an ACK. If there is none, the request is dropped: the client asks again. Retransmitted requests are
    dropped too, for their transfer goes on.
    """

    def __init__(
        self,
        settings: TftpSettings,
        open_file: OpenFile,
        report: Callable[[TransferReport], None],
        mac_of: MacOf,
        *,
        max_transfers: int = 256,
    ) -> None:
        self.meter = ProtocolMeter()
        self._settings = settings
        self._open_file = open_file
        self._report = report
        self._mac_of = mac_of
        self._max_transfers = max_transfers
        self._limits = Limits(settings.max_blksize, settings.max_windowsize)
        self._listeners = Bound(self._listen)
        self._group: asyncio.TaskGroup | None = None
        self._draining = asyncio.Event()
        self._sessions: dict[Peer, Session] = {}
        self._tasks: dict[Session, asyncio.Task[None]] = {}  # the oldest first
        self._complaints = Complaints(_COMPLAINT_INTERVAL)
        self._ports = TransferPorts(settings.port_range)
        self._giving_back: asyncio.TimerHandle | None = None

    @property
    def listening(self) -> list[Peer]:
        """The addresses and ports that are bound."""
        return [listener.local for listener in self._listeners]

    def serve(self, addresses: Iterable[IPv4Address]) -> list[ServerError]:
        """Take requests at these addresses and at no others; return an error for each that cannot be bound.

        Transfers that run go on; requests that come before ``run`` wait.
        """
        return self._listeners.follow(addresses)

    async def run(self) -> None:
        """Serve until ``drain`` or cancellation, which ends running transfers with an ERROR."""
        async with asyncio.TaskGroup() as self._group:
            try:
                for listener in self._listeners:
                    listener.start(partial(self._on_datagram, self._group, listener))
                await self._draining.wait()
            finally:
                self._listeners.close()

    async def drain(self, grace: float) -> None:
        """Take no more requests, give running transfers ``grace`` seconds, then end them; may be repeated."""
        self._listeners.close()
        self._draining.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _listen(self, address: IPv4Address) -> UdpSocket:
        listener = UdpSocket.open(str(address), self._settings.port)
        if self._group:
            listener.start(partial(self._on_datagram, self._group, listener))
        return listener

    def _on_datagram(self, group: asyncio.TaskGroup, listener: UdpSocket, data: bytes, peer: Peer) -> None:
        try:
            packet = decode(data)
        except WireError as error:
            self._complain("malformed", peer, str(error))
            return
        if packet == SELF_CHECK:
            listener.send(encode(Error(ErrorCode.FILE_EXISTS, "this server is well")), peer)
        elif isinstance(packet, WriteRequest):
            self._refuse(listener, peer, ErrorCode.ACCESS_VIOLATION, "this server is read-only")
        elif not isinstance(packet, ReadRequest):
            self._complain("unexpected", peer, type(packet).__name__)
        elif packet.mode not in _MODES:
            self._refuse(listener, peer, ErrorCode.ILLEGAL_OPERATION, "the modes are octet and netascii")
        else:
            self._admit(group, listener, packet, peer, len(data))

    def _refuse(self, listener: UdpSocket, peer: Peer, code: ErrorCode, message: str) -> None:
        """Answer from the listener: no boot firmware gets here, so it costs no port and no task."""
        listener.send(encode(Error(code, message)), peer)
        self._complain("refused", peer, message)

    def _complain(self, fault: str, peer: Peer, reason: str) -> None:
        self.meter.faults[fault] += 1
        self._complaints.log(f"tftp.{fault}", peer=peer, reason=reason)

    def _admit(
        self, group: asyncio.TaskGroup, listener: UdpSocket, request: ReadRequest, client: Peer, size: int
    ) -> None:
        """Begin a transfer for a request of ``size`` octets."""
        current = self._sessions.get(client)
        if current and not current.makes_way_for(request):
            return
        nic = nic_at(client[0], self._mac_of)
        self.meter.requests += 1
        self.meter.received += size
        udp = self._slot(listener.local[0], client, request, nic)
        if udp is None:
            return
        session = self._sessions[client] = Session(udp, client, nic, request)
        task = group.create_task(self._serve(session))
        self._tasks[session] = task
        self.meter.running += 1
        task.add_done_callback(partial(self._ended, session, asyncio.get_running_loop().time()))

    def _slot(self, address: str, client: Peer, request: ReadRequest, nic: str) -> Conversation | None:
        """Return the port for one more transfer, or None if none can be had, by eviction neither."""
        running = [session for session in self._tasks if not session.is_over]
        own = [session for session in running if session.nic == nic]
        if len(own) >= _MAX_PER_NIC:
            free = self._evict_one(own, client, f"{_MAX_PER_NIC} transfers of {nic} are running")
        elif len(running) >= self._max_transfers:
            free = self._evict_one(running, client, f"{self._max_transfers} transfers are running")
        else:
            free = True
        if not free:
            return None
        udp = self._ports.converse(address, client, request, len(running))
        if udp is None and self._evict_one(running, client, "no port is free for another transfer"):
            udp = self._ports.converse(address, client, request, len(running))
        return udp

    def _evict_one(self, sessions: Iterable[Session], client: Peer, reason: str) -> bool:
        """Make room for ``client`` by the first of ``sessions`` that can go; tell whether there was one."""
        evicted = next((session for session in sessions if session.evict()), None)
        if evicted is None:
            self._complain("dropped", client, reason)
        elif evicted.evicted:
            reason += ", and this one never had an ACK"
            self._complain("evicted", evicted.client, reason)
        return evicted is not None

    async def _serve(self, session: Session) -> None:
        try:
            await session.run(self._open_file, self._limits)
        except Exception as error:  # noqa: BLE001 - the last resort: one request must not stop the server
            _log.error("tftp.failed", peer=session.client, error=repr(error))

    def _ended(self, session: Session, started: float, task: asyncio.Task[None]) -> None:
        """Clean up in a callback, because a task that is cancelled before its first step runs no ``finally``."""
        self._tasks.pop(session, None)
        self.meter.running -= 1
        session.close("the server is stopping" if task.cancelled() else "the server has an internal error")
        if self._sessions.get(session.client) is session:
            del self._sessions[session.client]
        self._report_ending(session, started)
        if self._giving_back:
            self._giving_back.cancel()
        self._giving_back = asyncio.get_running_loop().call_later(_QUIET, give_back_memory)

    def _report_ending(self, session: Session, started: float) -> None:
        ending = session.ending
        if ending is None or session.evicted:
            return
        elapsed = asyncio.get_running_loop().time() - started
        self._count(ending, elapsed)
        report = TransferReport(
            client=session.client,
            filename=session.request.filename,
            outcome=ending.outcome,
            bytes=ending.bytes,
            milliseconds=round(elapsed * 1000),
            blksize=session.terms.blksize,
            windowsize=session.terms.windowsize,
            reason=ending.reason,
            reply=session.reply,
        )
        self._report(report)

    def _count(self, ending: Ending, seconds: float) -> None:
        self.meter.transfers[ending.outcome] += 1
        self.meter.sent += ending.bytes
        self.meter.seconds.observe(seconds)
        if ending.outcome in _FAULTS:
            self.meter.faults[ending.outcome] += 1
