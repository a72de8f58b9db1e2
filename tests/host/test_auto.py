"""What ``auto`` stands for: hosts as people have them, as plain data, and what each of them serves."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.host.auto import HostNetwork, choose, choose_address, not_a_lan
from iluvatar_pxe.host.routes import DefaultRoute
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.links import Link, LinkAddress, LinkFlag

UP = LinkFlag.UP | LinkFlag.BROADCAST | LinkFlag.CARRIER
UNPLUGGED = LinkFlag.UP | LinkFlag.BROADCAST
TUNNEL = LinkFlag.UP | LinkFlag.POINT_TO_POINT | LinkFlag.NO_ARP | LinkFlag.CARRIER
NO_TYPE, PPP, LOOPBACK = 65534, 512, 772
NUMBERS = {
    name: number
    for number, name in enumerate(
        [
            "lo",
            "eth0",
            "eth1",
            "wlan0",
            "br0",
            "docker0",
            "virbr0",
            "bond0",
            "eth0.10",
            "veth1",
            "vnet0",
            "tun0",
            "tap0",
            "wg0",
            "tailscale0",
            "ppp0",
            "vxlan0",
            "macvlan0",
            "dummy0",
            "br0.10",
            "docker0.10",
        ],
        1,
    )
}


def link(
    name: str, kind: str = "", *, of: str = "", on: str = "", flags: LinkFlag = UP, type_: int = 1
) -> Link:
    """Return a link: a part ``of`` a bridge or bond, or one that runs ``on`` another."""
    master, lower = NUMBERS.get(of, 0), NUMBERS.get(on, 0)
    return Link(
        index=NUMBERS[name], name=name, kind=kind, flags=flags, type=type_, master=master, lower=lower
    )


@dataclass(frozen=True)
class Part:
    """One link of a host, with its addresses and the metric and gateway of its default route."""

    link: Link
    addresses: tuple[str, ...] = ()
    metric: int | None = None
    gateway: str | None = None


def on(link_: Link, *addresses: str, metric: int | None = None, gateway: str | None = None) -> Part:
    return Part(link_, addresses, metric, gateway)


def host(*parts: Part, wireless: tuple[str, ...] = ("wlan0",)) -> HostNetwork:
    loopback = link("lo", flags=LinkFlag.UP | LinkFlag.LOOPBACK | LinkFlag.CARRIER, type_=LOOPBACK)
    parts = (on(loopback, "127.0.0.1/8"), *parts)
    return HostNetwork(
        links=tuple(part.link for part in parts),
        addresses=tuple(
            LinkAddress(part.link.index, IPv4Interface(one)) for part in parts for one in part.addresses
        ),
        routes=tuple(
            DefaultRoute(part.link.name, IPv4Address(part.gateway) if part.gateway else None, part.metric)
            for part in parts
            if part.metric is not None
        ),
        wireless=frozenset(wireless),
    )


LAN = "192.168.1.2/24"
ETH0 = on(link("eth0"), LAN, metric=100, gateway="192.168.1.1")
ETH0_UNROUTED = on(link("eth0"), LAN)
ETH1 = on(link("eth1"), "10.0.0.2/24", metric=101, gateway="10.0.0.1")
WLAN0 = on(link("wlan0"), "192.168.1.3/24", metric=50, gateway="192.168.1.1")
TUN0 = on(link("tun0", "tun", flags=TUNNEL, type_=NO_TYPE), "10.8.0.6/32", metric=50, gateway="10.8.0.5")
DOCKER = (
    on(link("docker0", "bridge"), "172.17.0.1/16"),
    on(link("veth1", "veth", of="docker0")),
)
LIBVIRT = (
    on(link("virbr0", "bridge"), "192.168.122.1/24"),
    on(link("vnet0", "tun", of="virbr0")),
)
BRIDGE = on(link("br0", "bridge"), LAN, metric=100, gateway="192.168.1.1")
PORT = on(link("eth0", of="br0"))

HOSTS = {
    "one card": (host(ETH0), "eth0"),
    "two cards with routes: the lower metric": (host(ETH1, ETH0), "eth0"),
    "two cards of one metric: by name": (host(replace(ETH1, metric=100), ETH0), "eth0"),
    "the second card has no route": (host(on(link("eth1"), "10.0.0.2/24"), ETH0), "eth0"),
    "Wi-Fi of a lower metric beside Ethernet": (host(WLAN0, ETH0), "eth0"),
    "Wi-Fi beside an unplugged Ethernet with a static address": (
        host(replace(ETH0, link=link("eth0", flags=UNPLUGGED)), WLAN0),
        "wlan0",
    ),
    "Wi-Fi beside Ethernet without an address": (host(on(link("eth0"), metric=10), WLAN0), "wlan0"),
    "Wi-Fi alone": (host(WLAN0), "wlan0"),
    "OpenVPN beside the LAN's route": (host(TUN0, ETH0), "eth0"),
    "OpenVPN in place of the LAN's route": (host(TUN0, ETH0_UNROUTED, *DOCKER), "eth0"),
    "OpenVPN's TAP device": (host(on(link("tap0", "tun"), "10.8.0.6/24", metric=1, gateway="10.8.0.1"), ETH0), "eth0"),
    "WireGuard with the default route": (
        host(on(link("wg0", "wireguard", flags=TUNNEL, type_=NO_TYPE), "10.6.0.2/32", metric=0), ETH0),
        "eth0",
    ),
    "Tailscale": (host(on(link("tailscale0", "tun", flags=TUNNEL, type_=NO_TYPE), "100.64.0.7/32"), ETH0), "eth0"),
    "a router by PPPoE": (host(on(link("ppp0", "ppp", flags=TUNNEL, type_=PPP), "203.0.113.9/32", metric=0), ETH0_UNROUTED), "eth0"),
    "a VXLAN": (host(on(link("vxlan0", "vxlan"), "10.9.0.2/24", metric=1), ETH0), "eth0"),
    "a dummy": (host(on(link("dummy0", "dummy", flags=UP | LinkFlag.NO_ARP), "10.9.0.2/24", metric=1), ETH0), "eth0"),
    "Docker and libvirt": (host(*DOCKER, *LIBVIRT, ETH0), "eth0"),
    "a container bridge with a default route": (host(replace(DOCKER[0], metric=1), DOCKER[1], ETH0), "eth0"),
    "a bridge of the LAN": (host(BRIDGE, PORT, *DOCKER), "br0"),
    "a bridge of the LAN with guests' ports (Proxmox)": (
        host(BRIDGE, PORT, on(link("vnet0", "tun", of="br0")), on(link("veth1", "veth", of="br0"))),
        "br0",
    ),
    "a bridge of a bond": (host(BRIDGE, on(link("bond0", "bond", of="br0")), on(link("eth0", of="bond0"))), "br0"),
    "a bridge of a VLAN": (host(BRIDGE, on(link("eth0.10", "vlan", of="br0", on="eth0")), on(link("eth0"))), "br0"),
    "an address left on the bridge's port": (host(BRIDGE, on(PORT.link, LAN, metric=0)), "br0"),
    "a VLAN beside the untagged network": (
        host(ETH0, on(link("eth0.10", "vlan", on="eth0"), "10.10.0.2/24", metric=400, gateway="10.10.0.1")),
        "eth0",
    ),
    "a VLAN with the only route": (
        host(ETH0_UNROUTED, on(link("eth0.10", "vlan", on="eth0"), "10.10.0.2/24", metric=400)),
        "eth0.10",
    ),
    "a VLAN of a bridge of the LAN": (
        host(replace(BRIDGE, metric=None), PORT, on(link("br0.10", "vlan", on="br0"), "10.10.0.2/24", metric=1)),
        "br0.10",
    ),
    "a VLAN of a container bridge": (
        host(*DOCKER, on(link("docker0.10", "vlan", on="docker0"), "10.10.0.2/24", metric=1), ETH0),
        "eth0",
    ),
    "a bond": (host(on(link("bond0", "bond"), LAN, metric=100), on(link("eth0", of="bond0")), on(link("eth1", of="bond0"))), "bond0"),
    "a container of its own: eth0 is one end of a pair": (host(replace(ETH0, link=link("eth0", "veth"))), "eth0"),
    "a macvlan": (host(on(link("eth0")), on(link("macvlan0", "macvlan", on="eth0"), LAN, metric=100)), "macvlan0"),
    "a default route over a link without an address yet": (host(on(link("eth0"), metric=100)), "eth0"),
}  # fmt: skip


@pytest.mark.parametrize(("network", "expected"), HOSTS.values(), ids=HOSTS)
def test_a_host_serves(network: HostNetwork, expected: str) -> None:
    assert choose(network) == expected


@pytest.mark.parametrize(("network", "expected"), HOSTS.values(), ids=HOSTS)
def test_the_choice_is_the_same_whatever_the_kernels_order(network: HostNetwork, expected: str) -> None:
    turned = replace(network, links=network.links[::-1], routes=network.routes[::-1])
    assert choose(turned) == choose(network, [expected]) == expected


KEPT = {
    "a second route of a lower metric (a phone by USB)": (host(replace(ETH1, metric=1), ETH0), ["eth0"], "eth0"),
    "a VPN in place of the LAN's route": (host(TUN0, ETH0_UNROUTED, on(link("eth1"), "10.0.0.2/24")), ["eth1"], "eth1"),
    "no default route at all": (host(ETH0_UNROUTED), ["eth0"], "eth0"),
    "a link that flaps, beside another with a route": (
        host(replace(ETH0, link=link("eth0", flags=UNPLUGGED)), ETH1),
        ["eth0"],
        "eth0",
    ),
    "the default route has moved": (host(ETH0_UNROUTED, ETH1), ["eth0"], "eth1"),
    "its address is gone": (host(on(link("eth0"), metric=100), ETH1), ["eth0"], "eth1"),
    "it is gone": (host(ETH1), ["eth0"], "eth1"),
    "it has come back": (host(ETH1, ETH0), ["eth0", "eth1"], "eth0"),
    "it is gone, and so is every default route": (host(on(link("eth1"), "10.0.0.2/24")), ["eth0", "eth1"], "eth1"),
    "Ethernet comes up after Wi-Fi": (host(WLAN0, ETH0), ["wlan0"], "eth0"),
    "it has become a bridge's port": (host(BRIDGE, PORT), ["eth0"], "br0"),
    "nothing is left": (host(), ["eth0", "eth1"], "eth0"),
}  # fmt: skip


@pytest.mark.parametrize(("network", "kept", "expected"), KEPT.values(), ids=KEPT)
def test_what_was_served_before_is_kept_while_that_is_right(
    network: HostNetwork, kept: list[str], expected: str
) -> None:
    assert choose(network, kept) == expected


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (host(), "no interface has a default route yet; auto waits for one, or name one in [network] interfaces"),
        (host(ETH0_UNROUTED), "no interface has a default route yet; auto waits for one, or name one in [network] interfaces"),
        (
            host(TUN0, ETH0_UNROUTED, on(link("eth1"), "10.0.0.2/24")),
            ("the default route leads over tun0, a tunnel or point-to-point link; "
            "name the machines' interface in [network] interfaces: eth0 or eth1"),
        ),
        (
            host(replace(DOCKER[0], metric=1), DOCKER[1]),
            ("the default route leads over docker0, a network of containers or virtual machines; "
            "name the machines' interface in [network] interfaces"),
        ),
    ],
)  # fmt: skip
def test_auto_waits_and_says_for_what(network: HostNetwork, why: str) -> None:
    with pytest.raises(ServerError) as caught:
        choose(network)
    assert str(caught.value) == why


def test_a_link_that_is_no_lan_is_described() -> None:
    network = host(ETH0, PORT, BRIDGE, TUN0, *DOCKER, *LIBVIRT)
    reasons = {
        one.name: not_a_lan(network, one) for one in network.links if one.name not in {"eth0", "veth1"}
    }
    assert reasons == {
        "lo": "loopback",
        "br0": None,
        "tun0": "a tunnel or point-to-point link",
        "docker0": "a network of containers or virtual machines",
        "virbr0": "a network of containers or virtual machines",
        "vnet0": "a tunnel or point-to-point link",
    }
    assert not_a_lan(network, PORT.link) == "a part of br0"


@pytest.mark.parametrize(
    ("addresses", "gateway", "expected"),
    [
        pytest.param(["192.168.1.2/24"], "192.168.1.1", "192.168.1.2/24", id="one"),
        pytest.param(["10.0.0.5/24", "192.168.1.2/24"], "192.168.1.1", "192.168.1.2/24", id="the gateway's network"),
        pytest.param(["10.0.0.5/24", "192.168.1.2/24"], None, "10.0.0.5/24", id="no gateway: the first"),
        pytest.param(["10.0.0.5/24", "192.168.1.2/24"], "172.16.0.1", "10.0.0.5/24", id="a gateway elsewhere"),
        pytest.param(["192.168.1.9/32", "192.168.1.2/24"], "192.168.1.1", "192.168.1.2/24", id="a virtual IP first"),
        pytest.param(["192.168.1.9/32", "192.168.1.2/24"], None, "192.168.1.2/24", id="a virtual IP, no gateway"),
        pytest.param(["169.254.7.7/16", "192.168.1.2/24"], None, "192.168.1.2/24", id="link-local first"),
        pytest.param(["203.0.113.9/32"], "172.31.1.1", "203.0.113.9/32", id="a host route alone"),
        pytest.param(["169.254.7.7/16"], None, "169.254.7.7/16", id="link-local alone"),
        pytest.param(["192.168.1.2/24", "192.168.1.9/24"], "192.168.1.1", "192.168.1.2/24", id="two of one network"),
        pytest.param([], "192.168.1.1", None, id="none"),
    ],
)  # fmt: skip
def test_of_several_addresses_the_one_that_machines_reach(
    addresses: list[str], gateway: str | None, expected: str | None
) -> None:
    network = host(on(link("eth0"), *addresses, metric=100, gateway=gateway))
    chosen = choose_address(network, link("eth0"))
    assert (chosen and str(chosen.interface)) == expected


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        pytest.param(None, "192.168.1.2/24", id="a VPN has taken the route away"),
        pytest.param("172.16.0.1", "192.168.1.2/24", id="a gateway elsewhere"),
        pytest.param("10.0.0.1", "10.0.0.5/24", id="the route has moved to the other network"),
    ],
)
def test_the_network_that_is_served_is_kept(gateway: str | None, expected: str) -> None:
    network = host(on(link("eth0"), "10.0.0.5/24", "192.168.1.2/24", metric=100, gateway=gateway))
    chosen = choose_address(network, link("eth0"), {IPv4Network("192.168.1.0/24")})
    assert str(chosen and chosen.interface) == expected


def test_a_secondary_address_comes_after_a_primary_one() -> None:
    network = host(on(link("eth0"), "192.168.1.9/24", "192.168.1.2/24"))
    first, second = network.addresses[1:]
    chosen = choose_address(
        replace(network, addresses=(replace(first, secondary=True), second)), link("eth0")
    )
    assert chosen == second
