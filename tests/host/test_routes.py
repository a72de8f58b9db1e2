"""The kernel's table of routes: what is a default route, by which interface and gateway, and what is passed over."""

import os
from ipaddress import IPv4Address
from sys import byteorder

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.host.routes import ROUTES, DefaultRoute, parse_default_routes
from iluvatar_pxe.lab.room.namespace import Namespace

HEADING = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def line(
    interface: str,
    gateway: str,
    metric: int = 100,
    flags: str = "0003",
    destination: str = "00000000",
    mask: str = "00000000",
) -> str:
    """Return a line as the kernel writes it: addresses are numbers of this machine's byte order."""
    number = int.from_bytes(IPv4Address(gateway).packed, byteorder)
    head = f"{interface}\t{destination}\t{number:08X}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0"
    return f"{head:<127}\n"


ETH = line("eth0", "192.168.0.1")
WLAN = line("wlan0", "192.168.0.254", 50)
LAN = line("eth0", "0.0.0.0", destination="0000A8C0", mask="00FFFFFF")
HALF = line("tun0", "0.0.0.0", mask="00000080")
DOWN = line("eth9", "192.168.0.1", 1, flags="0002")
REJECT = line("*", "0.0.0.0", 1, flags="0201")
TUNNEL = line("tun0", "0.0.0.0", 600, flags="0001")
ODD_NAME = "\N{EM SPACE}é\x85"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("", []),
        (ETH, [("eth0", "192.168.0.1")]),
        (ETH + WLAN, [("wlan0", "192.168.0.254"), ("eth0", "192.168.0.1")]),
        (ETH + line("eth1", "10.0.0.1") + ETH, [("eth0", "192.168.0.1"), ("eth1", "10.0.0.1"), ("eth0", "192.168.0.1")]),
        (TUNNEL + ETH, [("eth0", "192.168.0.1"), ("tun0", None)]),
        (DOWN + REJECT + LAN + HALF + line("eth8", "192.168.0.1", flags="0203"), []),
        (ETH[:40] + "\n\n\t\t\t\t\t\t\t\t\n" + WLAN, [("wlan0", "192.168.0.254")]),
        (line(ODD_NAME, "192.168.0.1"), [(ODD_NAME, "192.168.0.1")]),
    ],
    ids=["none", "one", "metrics", "one metric", "tunnel", "others", "damaged", "odd name"],
)  # fmt: skip
def test_default_routes(table: str, expected: list[tuple[str, str | None]]) -> None:
    routes = parse_default_routes(HEADING + table)
    assert [(one.interface, one.gateway and str(one.gateway)) for one in routes] == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")
def test_routes_of_the_real_kernel() -> None:
    with Namespace() as namespace:
        namespace.run(["sh", "-c", "ip link add eth0 type veth peer name eth1; ip link set eth0 up"])
        namespace.run(["ip", "address", "add", "10.77.1.2/24", "dev", "eth0"])
        namespace.run(["ip", "route", "add", "default", "via", "10.77.1.254", "metric", "5"])
        namespace.run(["ip", "route", "add", "default", "dev", "eth0", "metric", "7"])
        namespace.run(["ip", "route", "add", "unreachable", "default", "metric", "1"])
        table = namespace.run(["cat", str(ROUTES)])
    gateway = DefaultRoute("eth0", IPv4Address("10.77.1.254"), 5)
    assert parse_default_routes(table) == [gateway, DefaultRoute("eth0", None, 7)]


@given(st.text("eth0123456789ABCDEF\t\n*") | st.text())
def test_any_text_is_read(text: str) -> None:
    parse_default_routes(f"{text}\n{ETH}{text}")
