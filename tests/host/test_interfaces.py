"""Interfaces: the default route's, wired before wireless; named ones; and one line for those that are none."""

import os
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from iluvatar_pxe.host import interfaces
from iluvatar_pxe.host.interfaces import (
    Found,
    Interface,
    find_interfaces,
    read_interface,
)
from iluvatar_pxe.lab.room.namespace import Namespace

LOOPBACK = Interface("lo", 1, IPv4Address("127.0.0.1"), IPv4Network("127.0.0.0/8"))
HEADING = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
ETH = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
WLAN = "wlan0\t00000000\t0100A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n"
LAN = "eth0\t0000A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's tables of another host: only what tells wireless from wired."""
    for name in ("eth0", "eth1", "wlan0", "wlan1"):
        (tmp_path / "net" / name).mkdir(parents=True)
    (tmp_path / "net" / "wlan0" / "wireless").mkdir()
    (tmp_path / "net" / "wlan1" / "phy80211").mkdir()
    monkeypatch.setattr(interfaces, "_CLASS_NET", tmp_path / "net")
    monkeypatch.setattr(interfaces, "ROUTES", tmp_path / "route")
    return tmp_path


@pytest.mark.parametrize(
    ("routes", "before", "expected"),
    [
        (WLAN + ETH, None, "eth0"),
        (WLAN.replace("wlan0", "wlan1") + ETH, "wlan1", "eth0"),
        (WLAN, None, "wlan0"),
        (ETH + ETH.replace("eth0", "eth1").replace("\t100\t", "\t99\t"), None, "eth1"),
        (WLAN, "eth0", "wlan0"),
        (LAN, "eth0", "eth0"),
        (ETH.replace("eth0", "eth1") + ETH, None, "eth0"),
    ],
)
def test_auto_is_wired_before_wireless_and_stays_while_there_is_no_default_route(
    host: Path, monkeypatch: pytest.MonkeyPatch, routes: str, before: str | None, expected: str
) -> None:
    (host / "route").write_text(HEADING + routes)
    found = Interface(expected, 7, IPv4Address("192.0.2.1"), IPv4Network("192.0.2.0/24"))
    monkeypatch.setattr(interfaces, "read_interface", {expected: found}.__getitem__)
    assert find_interfaces(["auto"], before) == Found((found,), (), expected)


def test_auto_waits_for_a_default_route(host: Path) -> None:
    (host / "route").write_text(HEADING)
    why = "no interface has a default route yet; auto waits for one, or name one in [network] interfaces"
    assert find_interfaces(["auto", "lo"]) == Found((LOOPBACK,), (why,), None)


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
