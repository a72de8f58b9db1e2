"""One TFTP transfer: moves bytes between socket, state machine and file."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import IPv4Address

from iluvatar_pxe.assets.source import FileReply, Source
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.host.segmentation import datagrams as datagrams_of
from iluvatar_pxe.host.udp import Octets, Peer
from iluvatar_pxe.servers.tftp.netascii import NetasciiSource
from iluvatar_pxe.servers.tftp.ports import Conversation, turn_away
from iluvatar_pxe.wire.tftp.options import Limits, Terms, negotiate
from iluvatar_pxe.wire.tftp.packet import Error, ErrorCode, ReadRequest, encode
from iluvatar_pxe.wire.tftp.transfer import Ending, Outcome, ReadTransfer

OpenFile = Callable[[str, IPv4Address, IPv4Address], Awaitable[FileReply | None]]
"""Finds a file by the name that the client wrote, for the client's address and the one of this server that it asked.

None: there is no such file.
"""

_FILE_TIMEOUT = 10
"""Seconds for opening or for one read; a disk that needs more is broken, and the client has gone by then."""
_READS_AT_ONCE = 4
"""Of what is in memory, before other transfers have their turn."""
_EARLIER = 64
"""Datagrams at most that are taken first where another request is about to end a transfer."""
_LONGEST_MESSAGE = 200
"""Characters of an ERROR; boot ROMs have small buffers."""


class Session:
    """One read request of one client (address and port), from the request to its end.

    Everything goes out from the port of the transfer, the ERROR for a missing file too: RFC 1350 wants a new
    transfer identifier in the first answer, and firmware was only ever tested against servers that do so.
    """

    def __init__(self, udp: Conversation, client: Peer, nic: str, request: ReadRequest) -> None:
        self.client = client
        self.nic = nic
        """By what the client is counted."""
        self.request = request
        self.terms = Terms()
        self.evicted = False
        self.reply: FileReply | None = None
        self._udp = udp
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._transfer: ReadTransfer | None = None
        self._source: Source | None = None
        self._is_reading = False
        self._in_bursts = True
        self._refusal: Ending | None = None

    @property
    def ending(self) -> Ending | None:
        """How it ended, or None while it goes on."""
        return self._transfer.ending if self._transfer else self._refusal

    @property
    def is_over(self) -> bool:
        """It has ended and waits for no disk, so that its task is about to end too."""
        return self.ending is not None and not self._is_reading

    async def run(self, open_file: OpenFile, limits: Limits) -> None:
        """Answer the request. If this ends early, by cancellation too, ``close`` tells the client."""
        try:
            await self._answer(open_file, limits)
        except TimeoutError:
            self._refuse(f"the file could not be read within {_FILE_TIMEOUT} s")
        except (AssetError, OSError) as error:
            self._refuse(str(error)[:_LONGEST_MESSAGE])

    def close(self, reason: str) -> None:
        """Free the port; a client that still waits gets an ERROR with ``reason``."""
        if self.ending is None:
            self._refuse(reason)
        if self._timer:
            self._timer.cancel()
        self._udp.close()

    def makes_way_for(self, request: ReadRequest) -> bool:
        """Tell whether ``request``, from the same client port, is a new one rather than a retransmission.

        If so, this session ends without an ERROR, which could be taken for the answer to the new request.
        What the client sent here before it asked again (most often the last ACK) still counts.
        """
        if self._transfer:
            self._udp.receive_pending(_EARLIER)
        if self._transfer and (request != self.request or self._transfer.stalled):
            self._transfer.abandon("the client made a new request from the same port")
            self._wake.set()
        return self.ending is not None

    def evict(self) -> bool:
        """End silently and free the port, if the client never sent an ACK and nothing else is waited for.

        One that the client has just ended itself makes room as well, and is not ``evicted``.

        No ERROR: it goes to an address that may be forged, and a client whose answers were merely lost would
        take it for the end of its boot. Left alone, that client repeats its request and is let in again.
        """
        if self._unanswered() is None:
            return False
        self._udp.receive_pending(_EARLIER)
        transfer = self._unanswered()
        if transfer is None:
            self._wake.set()
            return self.ending is not None
        transfer.abandon("evicted for another request")
        self.evicted = True
        self._wake.set()
        self.close("evicted for another request")
        return True

    def _unanswered(self) -> ReadTransfer | None:
        transfer = self._transfer
        if transfer is None or transfer.ending or transfer.acknowledged or transfer.wanted():
            return None
        return transfer

    async def _answer(self, open_file: OpenFile, limits: Limits) -> None:
        async with asyncio.timeout(_FILE_TIMEOUT):
            client, server = (IPv4Address(address) for address, _port in (self.client, self._udp.local))
            self.reply = await open_file(self.request.filename, client, server)
        if self.reply is None:
            self._refuse("no such file", ErrorCode.FILE_NOT_FOUND, Outcome.MISSING)
            return
        source = self.reply.source
        try:
            if self.request.mode == "netascii":
                source = await NetasciiSource.convert(source)
            self.terms = negotiate(self.request.options, source.size, limits)
            await self._transmit(ReadTransfer(source.size, self.terms), source)
        finally:
            await source.close()

    async def _transmit(self, transfer: ReadTransfer, source: Source) -> None:
        """Read what is not at hand, in threads; all else happens as datagrams come."""
        self._transfer, self._source = transfer, source
        self._udp.start(self._on_datagram)
        if self.terms.windowsize == 1:
            self._udp.answer_early(transfer.follow, partial(self._followed, transfer))
        self._pump(transfer)
        while not transfer.ending:
            wanted = transfer.wanted()
            if wanted is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            self._is_reading = True
            async with asyncio.timeout(_FILE_TIMEOUT):
                data = await source.read(*wanted)
            self._is_reading = False
            transfer.supply(wanted[0], data)
            self._pump(transfer)

    def _refuse(
        self, reason: str, code: ErrorCode = ErrorCode.NOT_DEFINED, outcome: Outcome = Outcome.FAILED
    ) -> None:
        if self._transfer:
            self._transfer.fail(reason)
            self._pump(self._transfer)
        else:
            self._refusal = Ending(outcome, 0, reason)
            self._udp.send(encode(Error(code, reason)), self.client)

    def _on_datagram(self, data: bytes, peer: Peer) -> None:
        transfer = self._transfer
        if peer != self.client:
            turn_away(self._udp, data, peer)
        elif transfer and (prepared := transfer.follow(data, self._loop.time())):
            self._dispatch(prepared, transfer.segment, transfer, heard=True)
            self._followed(transfer)
        elif transfer:
            transfer.receive(data)
            self._pump(transfer, heard=transfer.acknowledged)

    def _followed(self, transfer: ReadTransfer) -> None:
        """Read on, once all that may be sent before the next ACK is on its way."""
        if transfer.wanted() and not self._is_reading:
            self._read_at_hand(transfer)
            transfer.prepare()

    def _pump(self, transfer: ReadTransfer, *, heard: bool = False) -> None:
        self._send(transfer, heard=heard)
        if transfer.wanted() and not self._is_reading:
            self._read_at_hand(transfer)
            self._send(transfer, heard=heard)
        if transfer.ending:
            self._wake.set()
        deadline = transfer.deadline()
        if self._timer and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline, self._on_deadline, transfer)
        transfer.prepare()

    def _send(self, transfer: ReadTransfer, *, heard: bool) -> None:
        datagrams = transfer.datagrams_to_send(self._loop.time())
        if datagrams:
            self._dispatch(b"".join(datagrams), len(datagrams[0]), transfer, heard=heard)

    def _dispatch(self, octets: Octets, size: int, transfer: ReadTransfer, *, heard: bool) -> None:
        """Send datagrams of ``size`` that lie one behind the other, of which the last may be shorter."""
        if len(octets) <= size:
            self._udp.send(octets, self.client, heard=heard)
        elif self._in_bursts and not transfer.repeats:
            self._in_bursts = self._udp.send_burst(octets, size, self.client, heard=heard)
        else:
            for datagram in datagrams_of(octets, size):
                self._udp.send(datagram, self.client, heard=heard)

    def _read_at_hand(self, transfer: ReadTransfer) -> None:
        """Supply what is wanted, as long as no disk has to be waited for; ``run`` does the rest."""
        for _ in range(_READS_AT_ONCE):
            if self._source is None or not transfer.fill(self._source.fill):
                break
        if transfer.wanted():
            self._wake.set()

    def _on_deadline(self, transfer: ReadTransfer) -> None:
        self._timer = None
        transfer.expire(self._loop.time())
        self._pump(transfer)
