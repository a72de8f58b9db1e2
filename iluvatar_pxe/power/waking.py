"""Sends magic packets to the networks in which a machine may be."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address

from iluvatar_pxe.errors import PowerError, ServerError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.host.udp import UdpSocket
from iluvatar_pxe.wire.wake_on_lan import PORT, magic_packet


def interfaces_to(address: IPv4Address | None, interfaces: Iterable[Interface]) -> tuple[Interface, ...]:
    """Return the interfaces in whose network a machine was seen, all of them where that is in none."""
    every = tuple(interfaces)
    near = tuple(one for one in every if address is not None and address in one.network)
    return near or every


def wake(macs: Iterable[str], interfaces: Sequence[Interface]) -> None:
    """Broadcast a magic packet for each MAC through each interface; raises PowerError where one cannot be sent."""
    packets = [magic_packet(mac) for mac in macs]
    if not interfaces:
        raise PowerError("no interface with an IPv4 address is served; correct [network] interfaces")
    for interface in interfaces:
        _broadcast(packets, interface)


def _broadcast(packets: Iterable[bytes], interface: Interface) -> None:
    everybody = str(interface.network.broadcast_address), PORT
    try:
        sock = UdpSocket.open(str(interface.address), 0, device=interface.name, broadcast=True)
    except ServerError as error:
        raise PowerError(str(error)) from error
    try:
        sent = [sock.send(packet, everybody) for packet in packets]
        if not all(sent):
            raise PowerError(f"{interface.name}: the kernel sends nothing there; is the cable plugged in?")
    finally:
        sock.close()
