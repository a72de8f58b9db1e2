"""The proxyDHCP server: ports 67 and 4011 on each interface that is served."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from functools import partial

import structlog
from msgspec import Struct

from iluvatar_pxe.errors import ServerError, WireError
from iluvatar_pxe.host.dhcp_replies import DhcpReplies
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.own_frames import OwnFrames
from iluvatar_pxe.host.udp import UdpSocket
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.turn_state import TurnState
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.dhcp.answers import Answers
from iluvatar_pxe.servers.dhcp.intake import Intake, Work
from iluvatar_pxe.servers.dhcp.others import OtherServers
from iluvatar_pxe.servers.dhcp.pace import Pace
from iluvatar_pxe.servers.dhcp.proxy import Arrival, Lease, Reply
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.wire.dhcp import CHADDR

RECEIVE_BUFFER = 4 << 20
"""Bytes that may wait in the kernel for each socket: about 3,000 messages."""
_AT_ONCE = 1024
"""Messages read in a row. To read one costs little; what is done about it waits for its turn."""
CROWDED = "more messages arrive than can be answered; known machines, and who asks again, are heard first"
NOT_ITSELF = (
    "not from 0.0.0.0 in a frame of that machine's NIC, as firmware sends it, nor on 4011 from its address"
)

_log = structlog.get_logger()


class _Place(Struct, frozen=True):
    """An interface: what replies are sent from, and what tells whether a message came from the NIC that it names."""

    interface: str
    reply_socket: UdpSocket
    links: Links
    own_frames: OwnFrames | None


class DhcpServer:
    """Moves bytes between sockets and ``respond``. With ``[network] dhcp = "observe"`` it sends nothing."""

    def __init__(
        self,
        settings: Settings,
        booters: Booters,
        on_ipxe_offer: Callable[[str], None],
        pace: Pace,
        others: OtherServers,
    ) -> None:
        """Call ``on_ipxe_offer(mac)`` whenever a machine's iPXE was offered a boot; ``others`` hears of other servers."""
        self.meter = ProtocolMeter()
        self._settings = settings.dhcp
        self._observes = settings.network.dhcp == "observe"
        self._http_port = settings.http.port
        self._allowed = Allowed(settings.http.allow)
        self._booters = booters
        self._on_ipxe_offer = on_ipxe_offer
        self._pace = pace
        self._others = others
        self._bound = Bound(self._open)
        self._intake = Intake(booters.real.knows)
        self._answers = Answers(
            lambda sighting: self._facing(sighting).decide(sighting),
            lambda sighting, state: self._facing(sighting).basis(sighting.mac, state.context),
            lambda sighting: self._states[sighting.simulated].now(),
            self._allowed.permits,
        )
        self._next_turn: asyncio.Handle | None = None
        self._states = {
            is_simulated: TurnState(booter, booter.context)
            for is_simulated, booter in ((False, booters.real), (True, booters.simulated))
        }
        self._without_proof: dict[str, str] = {}
        """By interface, why frames cannot be heard there."""

    @property
    def problem(self) -> str | None:
        """Why no machine can prove who it is, in one line, or None."""
        return next((f"{name}: {why}" for name, why in self._without_proof.items()), None)

    def serve(self, interfaces: Iterable[Interface]) -> list[ServerError]:
        """Answer on these interfaces and on no others; return an error for each that cannot be bound."""
        served = tuple(interfaces)
        self._allowed.follow(served)
        self._answers.clear()
        return self._bound.follow(served)

    def close(self) -> None:
        """Answer nothing any more."""
        self._pace.close()
        self._bound.close()
        self._intake.clear()

    def _open(self, interface: Interface) -> ExitStack:
        """Return what closes the sockets of an interface; raises ServerError.

        Broadcasts reach only a socket bound to the broadcast address or to none, so each interface has one
        for them and one for its own address, which is also what replies are sent from: the right source on a
        host with several. Both are shared with other DHCP servers on this host.
        """
        address, port = str(interface.address), self._settings.port
        with ExitStack() as sockets:
            own, boot_server, broadcasts = (
                sockets.enter_context(closing(_socket(interface, *local)))
                for local in ((address, port), (address, self._settings.pxe_port), ("255.255.255.255", port))
            )
            frames = self._own_frames(interface.name, sockets)
            place = _Place(interface.name, own, Links(interface.address, self._http_port), frames)
            if frames:
                self._hear_replies(interface, sockets)
            own.start(partial(self._receive, place, pxe_port=False), at_once=_AT_ONCE)
            broadcasts.start(partial(self._receive, place, pxe_port=False), at_once=_AT_ONCE)
            at_boot_server = _Place(interface.name, boot_server, place.links, None)
            boot_server.start(partial(self._receive, at_boot_server, pxe_port=True), at_once=_AT_ONCE)
            return sockets.pop_all()

    def _own_frames(self, interface: str, sockets: ExitStack) -> OwnFrames | None:
        """Return what hears frames on an interface; None, and a problem, where the host does not let us."""
        try:
            is_known = self._booters.real.knows
            frames = OwnFrames(interface, self._settings.port, RECEIVE_BUFFER, is_known)
            return sockets.enter_context(closing(frames))
        except OSError as error:
            remedy = (
                "run it as the systemd service that `iluvatar-pxe install` sets up, or give it CAP_NET_RAW"
            )
            why = f"{error.strerror}, so no machine can prove who it is or gets a configuration; {remedy}"
            _log.warning("dhcp.no_proof", interface=interface, why=why)
            self._without_proof[interface] = why
            sockets.callback(self._without_proof.pop, interface, None)
            return None

    def _hear_replies(self, interface: Interface, sockets: ExitStack) -> None:
        """Hear what other servers reply, where the host lets us."""
        heard = partial(self._others.reply, interface.name, interface.address)
        with suppress(OSError):
            sockets.enter_context(closing(DhcpReplies(interface.name, self._settings.client_port, heard)))

    def _receive(self, place: _Place, data: bytes, source: tuple[str, int], *, pxe_port: bool) -> None:
        """Let a message wait for its turn. In a storm most of them find no place, and are dropped here."""
        self.meter.requests += 1
        self.meter.received += len(data)
        work = partial(self._work, place, data, source, pxe_port=pxe_port)
        if not self._intake.put(data, work, time.monotonic()):
            self.meter.faults["crowded"] += 1
            complain("dhcp.crowded", mac=data[CHADDR].hex(":"), why=CROWDED)
        elif self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._take_turn)

    def _work(self, place: _Place, data: bytes, source: tuple[str, int], *, pxe_port: bool) -> Work:
        """Return what is to be done about a message. Whose frame it came in can be found out only now."""
        arrival = Arrival(
            links=place.links,
            source=source,
            pxe_port=pxe_port,
            own_frame=place.own_frames is not None and place.own_frames.take(data),
            server_port=self._settings.port,
            client_port=self._settings.client_port,
        )
        return partial(self._handle, place, data, arrival, time.perf_counter())

    def _take_turn(self) -> None:
        """Do a turn's work, then let the other servers have theirs."""
        loop = asyncio.get_running_loop()
        for state in self._states.values():
            state.next_turn()
        turn = deque(self._intake.turn())
        self._next_turn = loop.call_soon(self._take_turn) if self._intake else None
        try:
            while turn:
                turn.popleft()()
        finally:
            for work in turn:  # one that fails keeps no other from its turn
                loop.call_soon(work)

    def _handle(self, place: _Place, data: bytes, arrival: Arrival, started: float) -> None:
        try:
            result = self._answers.respond(data, arrival, place.interface)
        except WireError as error:
            self.meter.faults["malformed"] += 1
            complain("dhcp.malformed", source=arrival.source[0], why=str(error))
            return
        if not isinstance(result, Reply) and result.chosen:
            self._others.chosen(place.interface, result.chosen, place.links.address)
        if isinstance(result, Reply):
            booter = self._facing(result.decision.case.sighting)
            if self._observes:
                self._record(booter, result, arrival, f"nothing; would be {result.boot_file}")
                return
            in_turn = result.one_at_a_time and booter is self._booters.real
            if in_turn or result.delay:
                answer = partial(self._answer, booter, result, arrival, place.reply_socket, started)
                self._pace.send(result, answer, in_turn=in_turn)
            else:
                self._answer(booter, result, arrival, place.reply_socket, started)
        elif isinstance(result, Lease):
            self._facing(result.sighting).inventory.learn_address(result.sighting)
        elif result.sighting:
            self.meter.faults["no_answer"] += 1
            complain("dhcp.no_answer", mac=result.sighting.mac, why=result.why)

    def _facing(self, sighting: Sighting) -> Booter:
        return self._booters.facing(simulated=sighting.simulated)

    def _answer(
        self, booter: Booter, reply: Reply, arrival: Arrival, sock: UdpSocket, started: float
    ) -> None:
        sighting = reply.decision.case.sighting
        if not sock.send(reply.data, reply.to):
            self.meter.faults["not_sent"] += 1
            complain("dhcp.not_sent", mac=sighting.mac, to=reply.to[0])
            return
        seconds = time.perf_counter() - started
        milliseconds, size = seconds * 1000, len(reply.data)
        self.meter.seconds.observe(seconds)
        self.meter.sent += size
        recorded = self._record(booter, reply, arrival, reply.boot_file, size=size, milliseconds=milliseconds)
        is_ipxe_offer = sighting.firmware is Firmware.IPXE and not arrival.pxe_port
        if recorded and is_ipxe_offer and booter is self._booters.real:
            self._on_ipxe_offer(sighting.mac)

    def _record(
        self,
        booter: Booter,
        reply: Reply,
        arrival: Arrival,
        served: str,
        *,
        size: int = 0,
        milliseconds: float = 0.0,
    ) -> bool:
        """Record what a machine was served, if it may have asked itself; return whether that was done."""
        stage = _stage(reply.decision.case.sighting.firmware, pxe_port=arrival.pxe_port)
        client = arrival.source[0]
        if not booter.is_from_machine(reply.decision, client, stage):
            complain("dhcp.not_recorded", mac=reply.decision.case.sighting.mac, client=client, why=NOT_ITSELF)
            return False
        booter.journal.served(reply.decision, stage, served, size=size, milliseconds=milliseconds)
        return True


def _socket(interface: Interface, address: str, port: int) -> UdpSocket:
    return UdpSocket.open(
        address,
        port,
        device=interface.name,
        broadcast=True,
        reuse_address=True,
        receive_buffer=RECEIVE_BUFFER,
    )


def _stage(firmware: Firmware, *, pxe_port: bool) -> Stage:
    if pxe_port:
        return Stage.BOOT_SERVER
    return Stage.IPXE_DISCOVER if firmware is Firmware.IPXE else Stage.DISCOVER
