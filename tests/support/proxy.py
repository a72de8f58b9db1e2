"""One datagram through the DHCP server's core, with the real decision behind it."""

from ipaddress import IPv4Address, IPv4Network

from support import captures
from support.fleets import READY

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.dhcp.proxy import Arrival, Lease, Reply, Silence, respond
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BOOTREQUEST, DhcpMessage, MessageType, Option, decode, encode

ME = IPv4Address("10.77.0.2")
MAC = "52:54:00:77:00:01"
NOBODY = ("0.0.0.0", 68)


class Proxy:
    """A server core with a fleet and boot files of its own."""

    def __init__(self, fleet: Fleet | None = None, ready: frozenset[str] = READY) -> None:
        self.fleet = fleet or Fleet()
        self.ready = ready
        self.allowed = IPv4Network("10.0.0.0/8")

    def permits(self, address: str) -> bool:
        return IPv4Address(address) in self.allowed

    def decide(self, sighting: Sighting) -> Decision:
        return decide(sighting, Snapshot(), self.fleet, Context(ready=self.ready))

    def handle(
        self, data: bytes, *, pxe_port: bool = False, source: tuple[str, int] = NOBODY
    ) -> Reply | Silence | Lease:
        arrival = Arrival(
            links=Links(ME, 8080),
            source=source,
            pxe_port=pxe_port,
            own_frame=True,
            server_port=67,
            client_port=68,
        )
        return respond(data, arrival, self.decide, self.permits)

    def reply(self, request: DhcpMessage, **how: object) -> DhcpMessage:
        """Return the message that answers ``request``; fails when there is none."""
        result = self.handle(encode(request), **how)  # type: ignore[arg-type]
        assert isinstance(result, Reply), result
        return decode(result.data)

    def silence(self, request: DhcpMessage, **how: object) -> Silence:
        """Return why ``request`` is not answered; fails when it is."""
        result = self.handle(encode(request), **how)  # type: ignore[arg-type]
        assert isinstance(result, Silence), result
        return result


def captured(name: str) -> DhcpMessage:
    """Return a captured message."""
    return decode(captures.payload(name))


def discover(
    arch: int | None, *options: tuple[int, bytes], mac: str = MAC, kind: bytes = b"PXEClient"
) -> DhcpMessage:
    """Return a DISCOVER as firmware of this architecture sends it; ``options`` replace its own."""
    own: dict[int, bytes] = {Option.MESSAGE_TYPE: bytes((MessageType.DISCOVER,))}
    if arch is not None:
        own[Option.CLIENT_ARCH] = arch.to_bytes(2)
        own[Option.VENDOR_CLASS] = kind + b":Arch:%05d:UNDI:003000" % arch
    own |= dict(options)
    return DhcpMessage(
        op=BOOTREQUEST, xid=0x1234, chaddr=bytes.fromhex(mac.replace(":", "")), options=tuple(own.items())
    )


def boot_request(arch: int, *options: tuple[int, bytes]) -> DhcpMessage:
    """Return the REQUEST that firmware of this architecture sends to 4011."""
    message = discover(arch, (Option.MESSAGE_TYPE, bytes((MessageType.REQUEST,))), *options)
    return replace(message, ciaddr=IPv4Address("10.77.0.50"))
