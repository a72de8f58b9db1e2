"""Interfaces of the real kernel: what ``auto`` and names stand for, and one line for those that are none."""

import os
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from support.interfaces import read_interface
from support.waiting import PATIENCE

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.host.interfaces import Found, Interface, find_interfaces
from iluvatar_pxe.lab.room.namespace import Namespace

TUNNEL_CLIENT = Path(__file__).parents[1] / "support" / "tunnel.py"
LOOPBACK = Interface("lo", 1, IPv4Address("127.0.0.1"), IPv4Network("127.0.0.0/8"))


def test_loopback() -> None:
    assert read_interface("lo") == LOOPBACK
    assert find_interfaces(["lo", "lo"]) == Found((LOOPBACK,))


@pytest.mark.parametrize("name", ["none0", "abcdefghijklmnopqrstuvwxyz", "lo" + "x" * 20, "", "a" * 15])
def test_an_interface_that_is_not_there(name: str) -> None:
    why = (
        f"interface {name} does not exist yet; it is served once it appears, or correct [network] interfaces"
    )
    assert find_interfaces([name]) == Found((), (why,))


@pytest.fixture(scope="module")
def two_interfaces() -> Iterator[Namespace]:
    """A host of our own with ``one``, of two addresses, ``zwölf``, and ``bare`` without any."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    with Namespace() as namespace:
        namespace.run(["ip", "link", "set", "lo", "up"])
        for number, (name, addresses) in enumerate(
            (
                ("one", ["10.77.1.2/24", "10.77.1.99/24", "10.88.0.2/16"]),
                ("zwölf", ["10.99.0.5/30"]),
                ("bare", []),
                ("abcdefghijklmno", ["10.66.0.1/24"]),
            )
        ):
            namespace.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"peer{number}"])
            namespace.run(["ip", "link", "set", f"peer{number}", "up"])
            for address in addresses:
                namespace.run(["ip", "address", "add", address, "dev", name])
            namespace.run(["ip", "link", "set", name, "up"])
        namespace.run(["ip", "route", "add", "default", "via", "10.99.0.6", "metric", "5"])
        namespace.run(["ip", "route", "add", "unreachable", "default", "metric", "1"])
        yield namespace


def found(namespace: Namespace, *names: str) -> list[str]:
    """Return what ``find_interfaces`` finds there, and what it waits for."""
    script = (
        "import sys\nfrom iluvatar_pxe.host.interfaces import find_interfaces\n"
        "found = find_interfaces(sys.argv[1:])\n"
        "for one in found.interfaces: print(one.name, one.address, one.network)\n"
        "for why in found.waits_for: print(why)\n"
    )
    return namespace.run([sys.executable, "-c", script, *names]).splitlines()


def test_a_host_with_several_interfaces_and_addresses(two_interfaces: Namespace) -> None:
    one, two = "one 10.77.1.2 10.77.1.0/24", "zwölf 10.99.0.5 10.99.0.4/30"
    assert found(two_interfaces, "one", "zwölf") == [one, two]
    assert found(two_interfaces, "auto") == [two]
    assert found(two_interfaces, "auto", "one", "zwölf") == [two, one]


def test_an_interface_without_an_address_is_waited_for(two_interfaces: Namespace) -> None:
    assert found(two_interfaces, "bare", "one") == [
        "one 10.77.1.2 10.77.1.0/24",
        "interface bare has no IPv4 address yet; it is served once it has",
    ]


def test_a_longer_name_is_not_taken_for_its_beginning(two_interfaces: Namespace) -> None:
    assert found(two_interfaces, "abcdefghijklmno") == ["abcdefghijklmno 10.66.0.1 10.66.0.0/24"]
    (line,) = found(two_interfaces, "abcdefghijklmnop")
    assert line.startswith("interface abcdefghijklmnop does not exist yet; ")


def sh(namespace: Namespace, script: str) -> None:
    namespace.run(["sh", "-ec", script])


LAN = """
ip link add eth0 type veth peer name peer0; ip link set peer0 up; ip link set eth0 up
ip address add 192.168.1.9/32 dev eth0; ip address add 10.9.0.2/24 dev eth0; ip address add 192.168.1.2/24 dev eth0
ip route add default via 192.168.1.1 metric 100
"""
ETH0 = "eth0 192.168.1.2 192.168.1.0/24"
TUNNEL = """
ip address add 10.8.0.6/24 dev tun0; ip link set tun0 up
ip route add default via 10.8.0.5 metric 1
"""
CONTAINERS = """
ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up
ip link add veth1 type veth peer name guest; ip link set veth1 master docker0 up; ip link set guest up
ip route add default via 172.17.0.9 metric 1
"""
VXLAN = """
ip link add vxlan0 type vxlan id 3 dstport 4789; ip address add 10.7.0.2/24 dev vxlan0; ip link set vxlan0 up
ip route add default via 10.7.0.9 metric 1
"""
MACVLAN = """
ip link add mac0 link eth0 type macvlan; ip address add 192.168.1.4/24 dev mac0; ip link set mac0 up
ip route add default via 192.168.1.1 dev mac0 metric 1
"""
VLAN = """
ip link add eth0.10 link eth0 type vlan id 10; ip address add 10.10.0.2/24 dev eth0.10; ip link set eth0.10 up
ip route add default via 10.10.0.1 metric 1
"""
BOND = """
ip link add bond0 type bond; ip address add 10.11.0.2/24 dev bond0
ip link add slave0 type veth peer name slave1; ip link set slave1 up; ip link set slave0 master bond0
ip link set bond0 up; ip route add default via 10.11.0.1 metric 1
"""


@pytest.fixture
def lan() -> Iterator[Namespace]:
    """A host of one card, with a virtual IP and an address of another network before the one that machines use."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    with Namespace() as namespace:
        sh(namespace, LAN)
        yield namespace


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param("", ETH0, id="nothing else"),
        pytest.param(CONTAINERS, ETH0, id="a container bridge"),
        pytest.param(VXLAN, ETH0, id="VXLAN"),
        pytest.param(MACVLAN, "mac0 192.168.1.4 192.168.1.0/24", id="macvlan"),
        pytest.param(VLAN, "eth0.10 10.10.0.2 10.10.0.0/24", id="VLAN"),
        pytest.param(BOND, "bond0 10.11.0.2 10.11.0.0/24", id="bond"),
    ],
)
def test_auto_serves_the_lan_beside(lan: Namespace, more: str, expected: str) -> None:
    try:
        sh(lan, more)
    except LabError as error:
        if "Unknown device type" not in str(error):
            raise
        pytest.skip("this kernel has no such links")
    assert found(lan, "auto") == [expected]


@pytest.mark.parametrize("mode", ["tun", "tap"])
def test_auto_keeps_off_a_tunnel_that_takes_the_default_route(lan: Namespace, mode: str) -> None:
    client = lan.start("tunnel", [sys.executable, str(TUNNEL_CLIENT), mode])
    client.wait_for("OPEN", PATIENCE)
    sh(lan, TUNNEL)
    assert "LOWER_UP" in lan.run(["ip", "link", "show", "tun0"])
    assert found(lan, "auto") == [ETH0]
    sh(lan, "ip address del 10.9.0.2/24 dev eth0; ip route del default via 192.168.1.1")
    assert found(lan, "auto") == [ETH0]


def test_a_bridge_with_a_card_is_the_lan(lan: Namespace) -> None:
    """Stood for by a macvlan: a kernel of our own namespaces has no real card, and a veth could be a container's."""
    sh(
        lan,
        "ip link add card link eth0 type macvlan; ip link add br0 type bridge; ip link set card master br0 up;"
        "ip address flush dev eth0; ip address add 192.168.1.2/24 dev br0; ip link set br0 up;"
        "ip route add default via 192.168.1.1",
    )
    assert found(lan, "auto") == ["br0 192.168.1.2 192.168.1.0/24"]
    sh(lan, "ip link del card; ip route replace default via 192.168.1.1 dev br0")
    (why,) = found(lan, "auto")
    assert why.startswith("the default route leads over br0, a network of containers or virtual machines; ")
