"""Which network interfaces to serve on, and by which address they are reached."""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.auto import HostNetwork, choose, choose_address
from iluvatar_pxe.host.network import read_network

AUTO = "auto"
_NOT_THERE = "interface {} does not exist yet; it is served once it appears, or correct [network] interfaces"
_NO_ADDRESS = "interface {} has no IPv4 address yet; it is served once it has"


class Interface(Struct, frozen=True):
    """An interface that can be served: the kernel's number for it, and the IPv4 address that machines use."""

    name: str
    index: int
    """Another one when an interface is made anew under the same name: sockets are bound to the number."""
    address: IPv4Address
    network: IPv4Network


class Found(Struct, frozen=True):
    """What there is of the interfaces that are wanted; ``waits_for`` has a line for each that cannot be served."""

    interfaces: tuple[Interface, ...] = ()
    waits_for: tuple[str, ...] = ()
    default: str | None = None
    """What ``auto`` stood for, if it was among them."""


def find_interfaces(
    wanted: Sequence[str], kept: Sequence[str] = (), served: Collection[IPv4Network] = ()
) -> Found:
    """Look for ``[network] interfaces``; raises OSError where that cannot be done now. May block.

    ``kept`` are interfaces that ``auto`` is to stay with, the first before the others, and ``served`` the networks in
    which addresses are to stay, see ``auto``.
    """
    network = read_network()
    default: str | None = None
    interfaces: dict[str, Interface] = {}
    waits_for: list[str] = []
    for name in wanted:
        try:
            if name == AUTO:
                default = choose(network, kept)
            found = _interface(network, default if name == AUTO and default else name, served)
        except ServerError as error:
            waits_for.append(str(error))
        else:
            interfaces[found.name] = found
    return Found(tuple(interfaces.values()), tuple(waits_for), default)


def _interface(network: HostNetwork, name: str, served: Collection[IPv4Network]) -> Interface:
    """Return an interface with the address that machines use; raises ServerError where there is none."""
    link = network.link(name)
    if link is None:
        raise ServerError(_NOT_THERE.format(name))
    chosen = choose_address(network, link, served)
    if chosen is None:
        raise ServerError(_NO_ADDRESS.format(name))
    return Interface(name, link.index, chosen.interface.ip, chosen.interface.network)
