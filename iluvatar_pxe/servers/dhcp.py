"""The proxyDHCP server: ports 67 and 4011 on each interface that is served."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.desk import Desk
from iluvatar_pxe.servers.dhcp_core import Arrival, Lease, Reply, Silence, respond
from iluvatar_pxe.servers.interfaces import Interface
from iluvatar_pxe.servers.ratelimit import complain
from iluvatar_pxe.servers.udp import UdpSocket
from iluvatar_pxe.settings import DhcpSettings

NOT_ITSELF = "sent from an address that is not known to be that machine's"


class DhcpServer:
    """Moves bytes between sockets and ``respond``."""

    def __init__(
        self,
        settings: DhcpSettings,
        interfaces: Sequence[Interface],
        http_port: int,
        desk: Desk,
        on_ipxe_offer: Callable[[str], None],
    ) -> None:
        """Call ``on_ipxe_offer(mac)`` whenever a machine's iPXE was offered a boot."""
        self._settings = settings
        self._interfaces = interfaces
        self._http_port = http_port
        self._desk = desk
        self._on_ipxe_offer = on_ipxe_offer
        self._sockets: list[UdpSocket] = []

    def bind(self) -> None:
        """Bind and start to answer; raises ServerError.

        Broadcasts reach only a socket bound to the broadcast address or to none, so each interface has one
        for them and one for its own address, which is also what replies are sent from: the right source on a
        host with several. Both are shared with other DHCP servers on this host.
        """
        for interface in self._interfaces:
            links = Links(interface.address, self._http_port)
            own = self._open(str(interface.address), self._settings.port, interface)
            boot_server = self._open(str(interface.address), self._settings.pxe_port, interface)
            broadcasts = self._open("255.255.255.255", self._settings.port, interface)
            own.start(partial(self._receive, own, links, pxe_port=False))
            broadcasts.start(partial(self._receive, own, links, pxe_port=False))
            boot_server.start(partial(self._receive, boot_server, links, pxe_port=True))

    def close(self) -> None:
        """Answer nothing any more."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def _open(self, address: str, port: int, interface: Interface) -> UdpSocket:
        sock = UdpSocket.open(address, port, device=interface.name, broadcast=True, reuse_address=True)
        self._sockets.append(sock)
        return sock

    def _receive(
        self, reply_socket: UdpSocket, links: Links, data: bytes, source: tuple[str, int], *, pxe_port: bool
    ) -> None:
        started = time.perf_counter()
        arrival = Arrival(
            links=links,
            source=source,
            pxe_port=pxe_port,
            server_port=self._settings.port,
            client_port=self._settings.client_port,
        )
        try:
            result = respond(data, arrival, self._desk.plan)
        except WireError as error:
            complain("dhcp.malformed", source=source[0], why=str(error))
            return
        if isinstance(result, Reply):
            self._answer(result, reply_socket, pxe_port=pxe_port, started=started)
        elif isinstance(result, Lease):
            self._desk.inventory.learn_address(result.sighting)
        else:
            self._stay_silent(result)

    def _answer(self, reply: Reply, sock: UdpSocket, *, pxe_port: bool, started: float) -> None:
        if not sock.send(reply.data, reply.to):
            complain("dhcp.not_sent", mac=reply.sighting.mac, to=reply.to[0])
            return
        milliseconds = (time.perf_counter() - started) * 1000
        stage = _stage(reply.sighting.firmware, pxe_port=pxe_port)
        if not self._desk.may_be_itself(reply.sighting, IPv4Address(reply.to[0]), stage):
            complain("dhcp.not_recorded", mac=reply.sighting.mac, client=reply.to[0], why=NOT_ITSELF)
            return
        if stage is Stage.IPXE_DISCOVER and not pxe_port:
            self._on_ipxe_offer(reply.sighting.mac)
        self._desk.record(
            reply.sighting,
            stage,
            reply.boot_file,
            size=len(reply.data),
            milliseconds=milliseconds,
            why=reply.plan.why,
        )

    def _stay_silent(self, silence: Silence) -> None:
        if silence.sighting:
            complain("dhcp.no_answer", mac=silence.sighting.mac, why=silence.why)


def _stage(firmware: Firmware, *, pxe_port: bool) -> Stage:
    if firmware is Firmware.IPXE:
        return Stage.IPXE_DISCOVER
    return Stage.BOOT_SERVER if pxe_port else Stage.DISCOVER
