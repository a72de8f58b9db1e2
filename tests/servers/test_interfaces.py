"""Interfaces: the default route's, wired before wireless; named ones; and one line for those that are none."""

import os
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.lab.namespace import Namespace
from iluvatar_pxe.servers import interfaces
from iluvatar_pxe.servers.interfaces import (
    Interface,
    choose_interfaces,
    parse_default_interfaces,
    read_interface,
)

HEADING = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
ETH = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
WLAN = "wlan0\t00000000\t0100A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n"
LAN = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
DOWN = "eth9\t00000000\t0100A8C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n"
UNREACHABLE = "*\t00000000\t00000000\t0201\t0\t0\t4\t00000000\t0\t0\t0\n"
HALF = "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("", []),
        (HEADING, []),
        (HEADING + ETH + LAN, ["eth0"]),
        (HEADING + ETH + WLAN, ["wlan0", "eth0"]),
        (HEADING + DOWN + ETH, ["eth0"]),
        (HEADING + UNREACHABLE + ETH, ["eth0"]),
        (HEADING + HALF, []),
        (HEADING + LAN, []),
    ],
)
def test_default_routes_by_metric(routes: str, expected: list[str]) -> None:
    assert parse_default_interfaces(routes) == expected


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's tables of another host: only what tells wireless from wired."""
    for name in ("eth0", "eth1", "wlan0", "wlan1"):
        (tmp_path / "net" / name).mkdir(parents=True)
    (tmp_path / "net" / "wlan0" / "wireless").mkdir()
    (tmp_path / "net" / "wlan1" / "phy80211").mkdir()
    monkeypatch.setattr(interfaces, "_CLASS_NET", tmp_path / "net")
    monkeypatch.setattr(interfaces, "_ROUTES", tmp_path / "route")
    return tmp_path


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        (WLAN + ETH, "eth0"),
        (WLAN.replace("wlan0", "wlan1") + ETH, "eth0"),
        (WLAN, "wlan0"),
        (ETH + ETH.replace("eth0", "eth1").replace("100", "99"), "eth1"),
    ],
)
def test_auto_is_wired_before_wireless(
    host: Path, monkeypatch: pytest.MonkeyPatch, routes: str, expected: str
) -> None:
    (host / "route").write_text(HEADING + routes)
    found = Interface(expected, IPv4Address("192.0.2.1"), IPv4Network("192.0.2.0/24"))
    monkeypatch.setattr(interfaces, "read_interface", {expected: found}.__getitem__)
    assert choose_interfaces(["auto"]) == (found,)


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        (HEADING, r"^no interface has a default route: name one in \[network\] interfaces$"),
        (
            None,
            r"/route cannot be read: No such file or directory; name an interface in \[network\] interfaces$",
        ),
    ],
)
def test_auto_without_a_default_route(host: Path, routes: str | None, message: str) -> None:
    if routes is not None:
        (host / "route").write_text(routes)
    with pytest.raises(ServerError, match=message):
        choose_interfaces(["auto"])


def test_loopback() -> None:
    loopback = Interface("lo", IPv4Address("127.0.0.1"), IPv4Network("127.0.0.0/8"))
    assert read_interface("lo") == loopback
    assert choose_interfaces(["lo", "lo"]) == (loopback,)


@pytest.mark.parametrize("name", ["none0", "abcdefghijklmnopqrstuvwxyz", "lo" + "x" * 20, ""])
def test_an_interface_that_is_not_there(name: str) -> None:
    with pytest.raises(ServerError) as caught:
        choose_interfaces([name])
    assert str(caught.value).startswith(f"interface {name}: ")
    assert "\n" not in str(caught.value)


def test_no_interface_at_all() -> None:
    with pytest.raises(ServerError, match="is empty: name an interface, or write auto"):
        choose_interfaces([])


@pytest.fixture(scope="module")
def two_interfaces() -> Iterator[Namespace]:
    """A host of our own with ``one``, of two addresses, ``two``, and ``bare`` without any."""
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces")
    with Namespace() as namespace:
        namespace.run(["ip", "link", "set", "lo", "up"])
        for number, (name, addresses) in enumerate(
            (
                ("one", ["10.77.1.2/24", "10.77.1.99/24", "10.88.0.2/16"]),
                ("two", ["10.99.0.5/30"]),
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


def chosen(namespace: Namespace, *names: str) -> list[str]:
    """Return what ``choose_interfaces`` answers there, or its complaint."""
    script = (
        "import sys\nfrom iluvatar_pxe.errors import ServerError\n"
        "from iluvatar_pxe.servers.interfaces import choose_interfaces\n"
        "try:\n    for one in choose_interfaces(sys.argv[1:]): print(one.name, one.address, one.network)\n"
        "except ServerError as error: print(error)\n"
    )
    return namespace.run([sys.executable, "-c", script, *names]).splitlines()


def test_a_host_with_several_interfaces_and_addresses(two_interfaces: Namespace) -> None:
    assert chosen(two_interfaces, "one", "two") == [
        "one 10.77.1.2 10.77.1.0/24",
        "two 10.99.0.5 10.99.0.4/30",
    ]
    assert chosen(two_interfaces, "auto") == ["two 10.99.0.5 10.99.0.4/30"]
    assert chosen(two_interfaces, "auto", "one", "two") == [
        "two 10.99.0.5 10.99.0.4/30",
        "one 10.77.1.2 10.77.1.0/24",
    ]


def test_an_interface_without_an_address(two_interfaces: Namespace) -> None:
    assert chosen(two_interfaces, "bare") == [
        "interface bare: it has no IPv4 address; correct [network] interfaces or configure it"
    ]


def test_a_longer_name_is_not_taken_for_its_beginning(two_interfaces: Namespace) -> None:
    assert chosen(two_interfaces, "abcdefghijklmno") == ["abcdefghijklmno 10.66.0.1 10.66.0.0/24"]
    assert chosen(two_interfaces, "abcdefghijklmnop") == [
        "interface abcdefghijklmnop: there is no such interface; correct [network] interfaces or configure it"
    ]
