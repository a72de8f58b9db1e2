"""Who gets an advertisement, when, and that nobody else is touched; by a fake clock, then on a real segment."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.interfaces import read_interface
from support.proxy import captured
from support.rights import without_root
from support.waiting import wait_until

from iluvatar_pxe.errors import WireError
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import BRIDGE, INTERFACE, Network
from iluvatar_pxe.lab.watch import sniff
from iluvatar_pxe.servers.ndp.segment import (
    MACHINES,
    PATIENCE,
    REPEAT,
    ROUTER_SILENCE,
    WAIT,
    Expected,
    Segment,
)
from iluvatar_pxe.servers.ndp.server import NdpServer
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BROADCAST_FLAG, encode
from iluvatar_pxe.wire.ndp import HOP_LIMIT, encode_empty_advertisement

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

MAC = "52:54:00:77:00:01"
SOURCE = "fe80::5054:ff:fe77:1"
IPXE = bytes.fromhex("8500d995000000000101525400770001")
"""The BIOS ROM's, captured."""
OWN = bytes.fromhex("4a3817001dc3")
ANSWER = encode_empty_advertisement(OWN)
ROUTER = bytes.fromhex("8600000040000708" + "00" * 8)
"""An advertisement of a default router, for half an hour."""
OFFERED = 1000.0
DUE = OFFERED + PATIENCE


def solicitation(mac: str) -> bytes:
    return bytes.fromhex("85000000 00000000 0101" + mac.replace(":", ""))


@pytest.fixture
def expected() -> Expected:
    expected = Expected()
    expected.offered(MAC, OFFERED)
    return expected


@pytest.fixture
def segment(expected: Expected) -> Segment:
    return Segment(OWN, expected)


@pytest.mark.parametrize(
    ("later", "answer"),
    [
        pytest.param(0.003, None, id="a router goes first"),
        pytest.param(PATIENCE, ANSWER, id="no router did"),
        pytest.param(0.778, ANSWER, id="iPXE of 2019, third time"),
        pytest.param(0.868, ANSWER, id="iPXE of 2025, fourth time"),
        pytest.param(WAIT - 0.1, ANSWER, id="the last moment"),
        pytest.param(WAIT, None, id="iPXE has given up"),
        pytest.param(60.0, None, id="the system that it booted"),
    ],
)
def test_answered_while_ipxe_waits(segment: Segment, later: float, answer: bytes | None) -> None:
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, OFFERED + later) == answer


def test_answered_again_for_a_moment_should_the_answer_be_lost(segment: Segment) -> None:
    moments = (DUE, DUE + REPEAT - 0.1, DUE + REPEAT)
    answers = [segment.answer(IPXE, SOURCE, HOP_LIMIT, moment) for moment in moments]
    assert answers == [ANSWER, ANSWER, None]


def test_the_next_boot_begins_anew(segment: Segment, expected: Expected) -> None:
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, DUE) == ANSWER
    expected.offered(MAC, OFFERED + 60)
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, OFFERED + 60) is None
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, DUE + 60) == ANSWER


@pytest.mark.parametrize(
    ("data", "source", "hop_limit"),
    [
        pytest.param(solicitation("52:54:00:77:00:02"), SOURCE, HOP_LIMIT, id="another machine"),
        pytest.param(IPXE[:8], "::", HOP_LIMIT, id="from nowhere"),
        pytest.param(IPXE, "::", HOP_LIMIT, id="from nowhere, with a MAC"),
        pytest.param(IPXE[:8], SOURCE, HOP_LIMIT, id="without a MAC"),
        pytest.param(IPXE, "2001:db8::1", HOP_LIMIT, id="not link-local"),
        pytest.param(IPXE, SOURCE, HOP_LIMIT - 1, id="through a router"),
        pytest.param(IPXE, SOURCE, 0, id="no hop limit told"),
    ],
)
def test_not_answered(segment: Segment, data: bytes, source: str, hop_limit: int) -> None:
    assert segment.answer(data, source, hop_limit, DUE) is None
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, DUE) == ANSWER


def test_a_malformed_solicitation_raises_wire_error(segment: Segment) -> None:
    with pytest.raises(WireError):
        segment.answer(IPXE[:-1], SOURCE, HOP_LIMIT, DUE)


def test_silent_where_a_router_was_heard(segment: Segment, expected: Expected) -> None:
    assert segment.answer(ROUTER, "fe80::1", HOP_LIMIT, OFFERED) is None
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, DUE) is None
    assert Segment(OWN, expected).answer(IPXE, SOURCE, HOP_LIMIT, DUE) == ANSWER  # another interface
    expected.offered(MAC, OFFERED + ROUTER_SILENCE)
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, DUE + ROUTER_SILENCE) == ANSWER


def test_an_advertisement_from_elsewhere_is_no_router(segment: Segment) -> None:
    assert segment.answer(ROUTER, "fe80::1", HOP_LIMIT - 1, OFFERED) is None
    assert segment.answer(IPXE, SOURCE, HOP_LIMIT, DUE) == ANSWER


def test_the_machine_offered_longest_ago_is_forgotten_first(segment: Segment, expected: Expected) -> None:
    others = [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(MACHINES)]
    for other in others[:-1]:
        expected.offered(other, OFFERED)
    expected.offered(MAC, OFFERED)
    expected.offered(others[-1], OFFERED)
    asking = (others[0], others[1], MAC, others[-1])
    answers = [segment.answer(solicitation(mac), SOURCE, HOP_LIMIT, DUE) for mac in asking]
    assert answers == [None, ANSWER, ANSWER, ANSWER]


@needs_root
async def test_without_the_right_to_it_a_line_of_log_is_all() -> None:
    server = NdpServer()
    with capture_logs() as log, without_root():
        server.serve([read_interface("lo")])
    server.offered(MAC)
    server.close()
    why = "Operation not permitted; some boots take up to 16 s longer"
    assert log == [{"event": "ndp.off", "interface": "lo", "why": why, "log_level": "info"}]


ROOT = Path(__file__).parents[3]
SUPPORT = ROOT / "tests" / "support"
WAIT_SECONDS = 30.0
GOOD, BAD, ROUTING = "fe80::600d", "fe80::bad", "fe80::1"
ALL_ROUTERS, ALL_NODES = "ff02::2", "ff02::1"


@dataclass(frozen=True)
class Station:
    """A host on the segment."""

    namespace: Namespace
    name: str

    def run(self, *command: object) -> str:
        return self.namespace.run([str(word) for word in command], network=self.name)

    @property
    def mac(self) -> str:
        return self.run("cat", f"/sys/class/net/{INTERFACE}/address").strip()

    def discover_as_ipxe(self) -> None:
        """Ask for a boot, and return when it is offered."""
        request = captured("bios-virtio.0-ipxe-discover")
        own = replace(request, chaddr=bytes.fromhex(self.mac.replace(":", "")), flags=BROADCAST_FLAG)
        arguments = (encode(own).hex(), INTERFACE, 68, "255.255.255.255", 67, 1, WAIT_SECONDS)
        assert self.run(sys.executable, SUPPORT / "dhcp_client.py", *arguments)

    def ndp(self, *messages: tuple[object, ...], expected: int, seconds: float) -> list[dict[str, Any]]:
        """Send messages, until answered, and return the advertisements that came in."""
        lines = [",".join(map(str, message)) for message in messages]
        output = self.run(sys.executable, SUPPORT / "ndp_client.py", INTERFACE, expected, seconds, *lines)
        return [json.loads(line) for line in output.splitlines()]

    def solicit(self, *, expected: int = 1, seconds: float = WAIT_SECONDS) -> list[dict[str, Any]]:
        own = (GOOD, ALL_ROUTERS, HOP_LIMIT, solicitation(self.mac).hex())
        return self.ndp(own, expected=expected, seconds=seconds)

    def advertise_router(self) -> None:
        self.ndp((ROUTING, ALL_NODES, HOP_LIMIT, ROUTER.hex()), expected=0, seconds=WAIT_SECONDS)

    def default_routes(self) -> str:
        return self.run("ip", "-6", "route", "show", "default")


class Site:
    """A segment with the daemon and other hosts."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._network = Network(namespace)
        self.server = self.add("server", "10.77.0.2")

    def add(self, name: str, address: str, *addresses: str) -> Station:
        station = Station(self.namespace, self._network.add_station(name, address))
        for extra in addresses:
            station.run("ip", "address", "add", f"{extra}/64", "dev", INTERFACE, "nodad")
        return station

    def start_daemon(self) -> Process:
        settings = DIRECTORY / "config.toml"
        self.namespace.outside(settings).write_text(
            f'[network]\ninterfaces = ["{INTERFACE}"]\n'
            f'[state]\ndirectory = "{DIRECTORY}/state"\n[assets]\nfetch = false\n[log]\nformat = "json"\nlevel = "debug"\n'
        )
        command = [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(settings)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        daemon = self.namespace.start("daemon", command, network="server", environment=environment)
        daemon.wait_for('"event": "listening"', WAIT_SECONDS)
        return daemon

    def sniff(self, station: Station) -> Process:
        command = [sys.executable, "-I", sniff.__file__, INTERFACE, str(DIRECTORY / "pcap")]
        sniffer = self.namespace.start("sniff", command, network=station.name)
        sniffer.wait_for("listening", WAIT_SECONDS)
        return sniffer

    def sniffed(self) -> bytes:
        return self.namespace.outside(DIRECTORY / "pcap").read_bytes()


@pytest.fixture
def site() -> Iterator[Site]:
    with Namespace() as namespace:
        yield Site(namespace)


@needs_root
def test_the_machine_that_boots_is_answered_by_unicast_and_nobody_else(site: Site) -> None:
    daemon = site.start_daemon()
    client, other = site.add("client", "10.77.0.3", GOOD, BAD), site.add("other", "10.77.0.4")
    site.sniff(other)
    own, foreign = solicitation(client.mac), solicitation(other.mac)
    client.discover_as_ipxe()
    answers = client.ndp(
        (BAD, ALL_ROUTERS, HOP_LIMIT, foreign.hex()),
        (BAD, ALL_ROUTERS, HOP_LIMIT, own[:8].hex()),
        (BAD, ALL_ROUTERS, HOP_LIMIT, own[:-1].hex()),
        (BAD, ALL_ROUTERS, HOP_LIMIT, (own[:9] + b"\0" + own[10:]).hex()),
        (BAD, ALL_ROUTERS, HOP_LIMIT - 1, own.hex()),
        (GOOD, ALL_ROUTERS, HOP_LIMIT, own.hex()),
        expected=2,
        seconds=WAIT_SECONDS,
    )
    assert [(one["to"], one["hop_limit"]) for one in answers] == [(GOOD, HOP_LIMIT)] * 2
    advertisement = encode_empty_advertisement(bytes.fromhex(site.server.mac.replace(":", "")))
    assert {one["data"][:4] + one["data"][8:] for one in answers} == {
        advertisement[:2].hex() + advertisement[4:].hex()
    }
    wait_until(lambda: own[8:] in site.sniffed(), "the solicitation to be flooded")
    assert advertisement[4:] not in site.sniffed()
    assert daemon.stop() == 0
    assert '"event": "ndp.malformed"' in daemon.output
    assert '"level": "error"' not in daemon.output
    assert "Traceback" not in daemon.output


@needs_root
def test_a_system_that_is_answered_installs_nothing_by_it(site: Site) -> None:
    daemon = site.start_daemon()
    client = site.add("client", "10.77.0.3", GOOD, BAD)
    client.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{INTERFACE}/accept_ra")
    client.discover_as_ipxe()
    assert client.solicit()
    counters = client.run("cat", f"/proc/net/dev_snmp6/{INTERFACE}").split()
    assert counters[counters.index("Icmp6InRouterAdvertisements") + 1] != "0"
    assert not client.default_routes()
    assert "scope global" not in client.run("ip", "-6", "address")
    assert daemon.stop() == 0


@needs_root
def test_where_there_is_a_router_it_alone_is_heard(site: Site) -> None:
    site.start_daemon()
    client, router = site.add("client", "10.77.0.3", GOOD, BAD), site.add("router", "10.77.0.4", ROUTING)
    client.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{INTERFACE}/accept_ra")
    router.advertise_router()
    wait_until(lambda: f"via {ROUTING}" in client.default_routes(), "the client's kernel to learn the router")
    client.discover_as_ipxe()
    assert client.solicit(seconds=2 * PATIENCE) == []


@needs_root
def test_an_interface_without_ipv6_is_served_without_it(site: Site) -> None:
    site.server.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{INTERFACE}/disable_ipv6")
    daemon = site.start_daemon()
    assert '"event": "ndp.off"' in daemon.output
    site.add("client", "10.77.0.3", GOOD, BAD).discover_as_ipxe()
    assert daemon.stop() == 0


ANEW = (
    f"ip link del server; ip link add server type veth peer name {INTERFACE} netns server;"
    f"ip link set server master {BRIDGE} up; ip -n server address add 10.77.0.2/24 dev {INTERFACE};"
    f"ip -n server link set {INTERFACE} up"
)


@needs_root
def test_on_an_interface_made_anew_it_is_answered_as_before(site: Site) -> None:
    daemon = site.start_daemon()
    client = site.add("client", "10.77.0.3", GOOD)
    since = len(daemon.output)
    site.namespace.run(["sh", "-ec", ANEW])
    daemon.wait_for('"event": "listening"', WAIT_SECONDS, since=since)
    client.discover_as_ipxe()
    assert client.solicit()
