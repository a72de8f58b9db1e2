"""The proxyDHCP server: ports 67 and 4011 on each interface that is served."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address

import structlog

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.errors import ServerError, WireError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.own_frames import OwnFrames
from iluvatar_pxe.host.udp import UdpSocket
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.allowed import Allowed
from iluvatar_pxe.servers.bound import Bound
from iluvatar_pxe.servers.dhcp.pace import Pace
from iluvatar_pxe.servers.dhcp.proxy import Arrival, Lease, Reply, respond
from iluvatar_pxe.settings.model import DhcpSettings, HttpSettings

NOT_ITSELF = "neither its Ethernet frame nor its source address is known to be that machine's"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Place:
    """An interface: what replies are sent from, and what tells whether a message came from the NIC that it names."""

    reply_socket: UdpSocket
    links: Links
    own_frames: OwnFrames | None


class DhcpServer:
    """Moves bytes between sockets and ``respond``."""

    def __init__(
        self,
        settings: DhcpSettings,
        http: HttpSettings,
        booters: Booters,
        on_ipxe_offer: Callable[[str], None],
        pace: Pace,
    ) -> None:
        """Call ``on_ipxe_offer(mac)`` whenever a machine's iPXE was offered a boot."""
        self._settings = settings
        self._http_port = http.port
        self._allowed = Allowed(http.allow)
        self._booters = booters
        self._on_ipxe_offer = on_ipxe_offer
        self._pace = pace
        self._bound = Bound(self._open)

    def serve(self, interfaces: Iterable[Interface]) -> list[ServerError]:
        """Answer on these interfaces and on no others; return an error for each that cannot be bound."""
        served = tuple(interfaces)
        self._allowed.follow(served)
        return self._bound.follow(served)

    def close(self) -> None:
        """Answer nothing any more."""
        self._pace.close()
        self._bound.close()

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
            frames = _own_frames(interface.name, port)
            if frames:
                sockets.enter_context(closing(frames))
            place = _Place(own, Links(interface.address, self._http_port), frames)
            own.start(partial(self._receive, place, pxe_port=False))
            broadcasts.start(partial(self._receive, place, pxe_port=False))
            boot_server.start(partial(self._receive, _Place(boot_server, place.links, None), pxe_port=True))
            return sockets.pop_all()

    def _receive(self, place: _Place, data: bytes, source: tuple[str, int], *, pxe_port: bool) -> None:
        started = time.perf_counter()
        arrival = Arrival(
            links=place.links,
            source=source,
            pxe_port=pxe_port,
            own_frame=place.own_frames is not None and place.own_frames.take(data),
            server_port=self._settings.port,
            client_port=self._settings.client_port,
        )
        try:
            result = respond(data, arrival, self._decide, self._allowed.permits)
        except WireError as error:
            complain("dhcp.malformed", source=source[0], why=str(error))
            return
        if isinstance(result, Reply):
            booter = self._facing(result.decision.case.sighting)
            answer = partial(
                self._answer, booter, result, place.reply_socket, pxe_port=pxe_port, started=started
            )
            in_turn = result.one_at_a_time and booter is self._booters.real
            if in_turn or result.delay:
                self._pace.send(result, answer, in_turn=in_turn)
            else:
                answer()
        elif isinstance(result, Lease):
            self._facing(result.sighting).inventory.learn_address(result.sighting)
        elif result.sighting:
            complain("dhcp.no_answer", mac=result.sighting.mac, why=result.why)

    def _decide(self, sighting: Sighting) -> Decision:
        return self._facing(sighting).decide(sighting)

    def _facing(self, sighting: Sighting) -> Booter:
        return self._booters.facing(simulated=sighting.simulated)

    def _answer(
        self, booter: Booter, reply: Reply, sock: UdpSocket, *, pxe_port: bool, started: float
    ) -> None:
        sighting = reply.decision.case.sighting
        if not sock.send(reply.data, reply.to):
            complain("dhcp.not_sent", mac=sighting.mac, to=reply.to[0])
            return
        milliseconds = (time.perf_counter() - started) * 1000
        stage = _stage(sighting.firmware, pxe_port=pxe_port)
        if not booter.is_from_machine(reply.decision, IPv4Address(reply.to[0]), stage):
            complain("dhcp.not_recorded", mac=sighting.mac, client=reply.to[0], why=NOT_ITSELF)
            return
        if stage is Stage.IPXE_DISCOVER and not pxe_port and booter is self._booters.real:
            self._on_ipxe_offer(sighting.mac)
        size = len(reply.data)
        booter.journal.served(reply.decision, stage, reply.boot_file, size=size, milliseconds=milliseconds)


def _socket(interface: Interface, address: str, port: int) -> UdpSocket:
    return UdpSocket.open(address, port, device=interface.name, broadcast=True, reuse_address=True)


def _own_frames(interface: str, port: int) -> OwnFrames | None:
    """Return what hears frames on an interface; None, and a line of log, where the host does not let us."""
    try:
        return OwnFrames(interface, port)
    except OSError as error:
        remedy = "run it as the systemd service that `iluvatar-pxe install` sets up, or give it CAP_NET_RAW"
        why = f"{error.strerror}, so no machine can prove who it is or gets a configuration; {remedy}"
        _log.warning("dhcp.no_proof", interface=interface, why=why)
        return None


def _stage(firmware: Firmware, *, pxe_port: bool) -> Stage:
    if firmware is Firmware.IPXE:
        return Stage.IPXE_DISCOVER
    return Stage.BOOT_SERVER if pxe_port else Stage.DISCOVER
