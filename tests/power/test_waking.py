"""Magic packets on a real segment, as tcpdump at a neighbour sees them; and where they go."""

import os
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.segment import segment

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.host.interfaces import Interface
from iluvatar_pxe.power.waking import interfaces_to, wake

MACS = ("52:54:00:12:34:56", "52:54:00:12:34:57")
HOME = Interface("eth0", 2, IPv4Address("10.77.0.2"), IPv4Network("10.77.0.0/24"))
LAB = Interface("eth1", 3, IPv4Address("10.78.0.2"), IPv4Network("10.78.0.0/24"))
WAKE = f"""
from support.interfaces import read_interface
from iluvatar_pxe.power.waking import wake
wake({MACS}, [read_interface("eth0")])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")
def test_every_neighbour_hears_a_packet_for_each_mac() -> None:
    with segment() as here:
        capture = ["tcpdump", "--immediate-mode", "-ntxx", "-i", "eth0", "-c", "2", "udp", "port", "9"]
        tcpdump = here.namespace.start("tcpdump", capture, network="neighbour")
        tcpdump.wait_for("listening on", 30.0)
        here.said_by(WAKE)
        tcpdump.wait_for("2 packets captured", 30.0)
        lines = tcpdump.output.splitlines()
    heads = [line for line in lines if "UDP" in line]
    assert all("10.77.0.255.9: UDP, length 102" in line for line in heads)
    frames = "".join(line.partition(":  ")[2].replace(" ", "") for line in lines if line.startswith("\t0x"))
    for mac in MACS:
        assert "ff" * 6 + mac.replace(":", "") * 16 in frames
    assert frames.startswith("ff" * 6)  # to every NIC, for one that sleeps answers no ARP


def test_a_machine_is_woken_where_it_was_seen_and_everywhere_while_nobody_knows() -> None:
    both = [HOME, LAB]
    assert interfaces_to(IPv4Address("10.78.0.9"), both) == (LAB,)
    assert interfaces_to(IPv4Address("192.168.1.9"), both) == (HOME, LAB)
    assert interfaces_to(None, both) == (HOME, LAB)


@pytest.mark.parametrize(
    ("interfaces", "why"),
    [([], "no interface with an IPv4 address is served"), ([LAB], r"UDP 10\.78\.0\.2:0 on eth1 cannot be")],
)
def test_what_cannot_be_sent_is_said(interfaces: list[Interface], why: str) -> None:
    with pytest.raises(PowerError, match=why):
        wake(MACS, interfaces)
