"""What ``auto`` of ``[network] interfaces`` stands for: a choice among plain data about links, addresses and routes."""

from collections.abc import Collection, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network

from msgspec import Struct

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.routes import DefaultRoute
from iluvatar_pxe.wire.links import ETHERNET, Link, LinkAddress, LinkFlag

_NO_ROUTE = "no interface has a default route yet; auto waits for one, or name one in [network] interfaces"
_TUNNELS = frozenset({"tun", "vxlan", "geneve", "gretap", "ip6gretap", "erspan", "ip6erspan", "l2tpeth"})
"""Virtual links that look like Ethernet and lead elsewhere; OpenVPN's and ZeroTier's TAP devices are of kind tun."""
_GROUPS = frozenset({"bridge", "bond", "team"})
"""Links that others are parts of, and that have the addresses in their place."""
_ON_ANOTHER = frozenset({"vlan", "macvlan", "ipvlan", "macsec"})
_GUESTS = frozenset({"veth"})
"""One end of a pair: in a container its Ethernet, but as a port of a bridge a container's or nobody's."""


class HostNetwork(Struct, frozen=True):
    """All that says which interface a host is to serve; ``wireless`` are names of links."""

    links: tuple[Link, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[DefaultRoute, ...] = ()
    wireless: frozenset[str] = frozenset()

    def link(self, name: str) -> Link | None:
        """Return the link of this name, or None."""
        return next((one for one in self.links if one.name == name), None)

    def link_with(self, index: int) -> Link | None:
        """Return the link with this index, or None."""
        return next((one for one in self.links if one.index == index), None)

    def addresses_of(self, link: Link) -> tuple[LinkAddress, ...]:
        """Return a link's addresses in the kernel's order."""
        return tuple(one for one in self.addresses if one.index == link.index)

    def route_by(self, name: str) -> DefaultRoute | None:
        """Return the best default route that leads over a link, or None."""
        return min(
            (one for one in self.routes if one.interface == name), key=lambda one: one.metric, default=None
        )


def choose(network: HostNetwork, kept: Sequence[str] = ()) -> str:
    """Return the interface that ``auto`` stands for; raises ServerError with what it waits for.

    It has a default route, an address and the kind of link that machines boot over (``not_a_lan``). Of several, the
    one with a carrier comes first, then wired before wireless, then the first of ``kept``, which served before, then
    the lowest metric. ``kept`` goes on while no other has a default route: a link that flaps, a router that restarts
    or a VPN's client takes the route away, and machines boot without it.
    """
    lans = [link for link in network.links if not_a_lan(network, link) is None]
    routed = [link for link in lans if network.route_by(link.name)]
    ready = [link for link in routed if network.addresses_of(link)]
    if ready:
        return min(ready, key=lambda link: _rank(network, link, kept)).name
    if kept:
        return next((name for name in kept if _has_address(network, name)), kept[0])
    if routed:
        return min(routed, key=lambda link: _rank(network, link, kept)).name
    return _without_a_route(network, lans)


def choose_address(
    network: HostNetwork, link: Link, served: Collection[IPv4Network] = ()
) -> LinkAddress | None:
    """Return the address by which machines reach a link, or None.

    The one in the network of the gateway; else in a network that was ``served`` before; else the first that is neither
    alone in its network (/32, as a virtual IP is) nor link-local (169.254/16), as long as there is another.
    """
    route = network.route_by(link.name)
    gateway = route.gateway if route else None
    ranked = enumerate(network.addresses_of(link))
    best = min(ranked, key=lambda one: (*_address_rank(one[1], gateway, served), one[0]), default=None)
    return best[1] if best else None


def not_a_lan(network: HostNetwork, link: Link) -> str | None:
    """Say in words why machines cannot boot over a link, or return None where they can."""
    if link.flags & LinkFlag.LOOPBACK:
        return "loopback"
    if link.kind in _TUNNELS or link.flags & LinkFlag.POINT_TO_POINT or not link.flags & LinkFlag.BROADCAST:
        return "a tunnel or point-to-point link"
    if link.type != ETHERNET or link.flags & LinkFlag.NO_ARP:
        return "no Ethernet with ARP"
    if (master := network.link_with(link.master)) and master.kind in _GROUPS:
        return f"a part of {master.name}"
    if not _has_wire(network, link):
        return "a network of containers or virtual machines"
    return None


def _has_wire(network: HostNetwork, link: Link) -> bool:
    """Say whether a bridge has a port, and what runs on another link has one, that is more than a guest's."""
    if link.kind in _TUNNELS:
        return False
    if link.kind == "bridge":
        ports = (one for one in network.links if one.master == link.index)
        return any(one.kind not in _GUESTS and _has_wire(network, one) for one in ports)
    lower = network.link_with(link.lower) if link.kind in _ON_ANOTHER else None
    return lower is None or lower.index == link.index or _has_wire(network, lower)


def _rank(network: HostNetwork, link: Link, kept: Sequence[str]) -> tuple[bool, bool, int, int, str]:
    route = network.route_by(link.name)
    place = kept.index(link.name) if link.name in kept else len(kept)
    has_carrier = link.name in kept or bool(link.flags & LinkFlag.CARRIER)  # a flap changes nothing
    return not has_carrier, link.name in network.wireless, place, route.metric if route else 0, link.name


def _has_address(network: HostNetwork, name: str) -> bool:
    link = network.link(name)
    return link is not None and bool(network.addresses_of(link))


def _without_a_route(network: HostNetwork, lans: Iterable[Link]) -> str:
    """Return the only LAN of a host whose default routes all lead over other links; raises ServerError."""
    elsewhere = [link for route in network.routes if (link := network.link(route.interface))]
    if not elsewhere:
        raise ServerError(_NO_ROUTE)
    named = [link.name for link in lans if link.flags & LinkFlag.UP and network.addresses_of(link)]
    if len(named) == 1:
        return named[0]
    why = not_a_lan(network, elsewhere[0])
    text = f"the default route leads over {elsewhere[0].name}, {why}; name the machines' interface in [network] interfaces"
    raise ServerError(f"{text}: {' or '.join(named)}" if named else text)


def _address_rank(
    address: LinkAddress, gateway: IPv4Address | None, served: Collection[IPv4Network]
) -> tuple[bool, bool, bool, bool, bool]:
    network = address.interface.network
    reaches = gateway is not None and gateway in network
    alone, link_local = network.prefixlen == 32, address.interface.is_link_local
    return not reaches, network not in served, alone, link_local, address.secondary
