"""The DHCP server's sockets, on hosts of our own with several interfaces and addresses."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.firmware_room import answered
from support.pi import ROM_ID, ROM_XID, pi_discover
from support.proxy import boot_request, discover

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BROADCAST_FLAG, DhcpMessage, MessageType, Option, decode, encode
from iluvatar_pxe.wire.pxe import SIMULATED

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "tests" / "support" / "dhcp_client.py"
READY_SECONDS = 30.0
QUIET_SECONDS = 1.0
BROADCAST = "255.255.255.255"


@dataclass(frozen=True)
class Answer:
    source: tuple[str, int]
    message: DhcpMessage


class Host:
    """A server with ``eth0`` on the segment of client ``a`` and ``eth1`` on that of client ``b``."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._ip("netns", "add", "server")
        self._ip("-n", "server", "link", "set", "lo", "up")
        self._connect("a", "eth0", ["10.77.1.2/24", "10.77.1.99/24", "10.99.1.2/24"], "10.77.1.50/24")
        self._connect("b", "eth1", ["10.77.2.2/24"], "10.77.2.50/24")

    def start_daemon(self) -> Process:
        settings = DIRECTORY / "config.toml"
        self.namespace.outside(settings).write_text(
            '[network]\ninterfaces = ["eth0", "eth1"]\n'
            f'[state]\ndirectory = "{DIRECTORY}/state"\n[assets]\nfetch = false\n[log]\nformat = "json"\n'
        )
        programs = self.namespace.outside(DIRECTORY) / "state" / "assets" / "ipxe"
        programs.mkdir(parents=True)
        (programs / "snponly.efi").write_bytes(b"program")
        command = [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(settings)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        daemon = self.namespace.start("daemon", command, network="server", environment=environment)
        daemon.wait_for(r'"interface": "eth1".*"event": "listening"', READY_SECONDS)
        return daemon

    def start_dhcp_server(self) -> Process:
        """Start somebody else's DHCP server on the same host, one that shares its port."""
        command = [
            "dnsmasq",
            "--keep-in-foreground",
            "--port=0",
            "--bind-interfaces",
            "--interface=eth0",
            "--user=root",
            "--log-facility=-",
            "--conf-file=/dev/null",
        ]
        command += [f"--dhcp-leasefile={DIRECTORY}/leases", "--dhcp-range=10.77.1.100,10.77.1.120,60"]
        server = self.namespace.start("dnsmasq", command, network="server")
        server.wait_for("DHCP, IP range", READY_SECONDS)
        return server

    def ask(
        self,
        client: str,
        request: DhcpMessage,
        *,
        to: tuple[str, int] = (BROADCAST, 67),
        port: int = 68,
        expected: int = 1,
        seconds: float = 10.0,
    ) -> list[Answer]:
        """Send a request from a client's host and return the answers."""
        arguments = [encode(request).hex(), "eth0", port, *to, expected, seconds]
        output = self.namespace.run([sys.executable, str(CLIENT), *map(str, arguments)], network=client)
        lines = [json.loads(line) for line in output.splitlines()]
        return [
            Answer((line["source"][0], line["source"][1]), decode(bytes.fromhex(line["data"])))
            for line in lines
        ]

    def _connect(self, client: str, interface: str, addresses: list[str], client_address: str) -> None:
        self._ip("netns", "add", client)
        peer = ("peer", "name", "eth0", "netns", client)
        self._ip("-n", "server", "link", "add", interface, "type", "veth", *peer)
        for where, name, given in (("server", interface, addresses), (client, "eth0", [client_address])):
            for address in given:
                self._ip("-n", where, "address", "add", address, "dev", name)
            self._ip("-n", where, "link", "set", name, "up")

    def _ip(self, *arguments: str) -> None:
        self.namespace.run(["ip", *arguments])


@pytest.fixture(scope="module")
def serving() -> Iterator[tuple[Host, Process]]:
    """One daemon for all tests that need nothing else on its host."""
    with Namespace() as namespace:
        host = Host(namespace)
        daemon = host.start_daemon()
        yield host, daemon
        assert daemon.stop() == 0


@pytest.fixture(scope="module")
def host(serving: tuple[Host, Process]) -> Host:
    return serving[0]


@pytest.fixture(scope="module")
def daemon(serving: tuple[Host, Process]) -> Process:
    return serving[1]


@pytest.mark.parametrize(("client", "address"), [("a", "10.77.1.2"), ("b", "10.77.2.2")])
def test_point_13_answers_leave_by_the_interface_and_address_of_the_question(
    host: Host, client: str, address: str
) -> None:
    (answer,) = host.ask(client, discover(7), expected=1)
    assert answer.source == (address, 67)
    assert answer.message.siaddr == answer.message.address(Option.SERVER_ID) == IPv4Address(address)


def test_points_16_20_requests_are_for_4011_alone(host: Host) -> None:
    request = boot_request(7)
    assert host.ask("a", request, expected=1, seconds=QUIET_SECONDS) == []
    for port in (4011, 68):
        (answer,) = host.ask("a", request, to=("10.77.1.2", 4011), port=port)
        assert answer.source == ("10.77.1.2", 4011)
        assert answer.message.message_type is MessageType.ACK


def test_a_simulated_pi_3_takes_no_turn_of_a_real_one(host: Host) -> None:
    simulated = (Option.USER_CLASS, SIMULATED)
    real = [pi_discover(f"b8:27:eb:00:00:0{number}", ROM_ID, xid=ROM_XID) for number in (1, 2)]
    asks = pi_discover("b8:27:eb:00:00:03", ROM_ID, xid=ROM_XID)
    played = replace(asks, options=(*asks.options, simulated))
    macs = answered(host.namespace, "a", "eth0", (*real, played))
    assert [mac[-1] for mac in macs] == ["1", "3", "2"]


def test_point_13_relayed_requests_are_answered_to_the_relay(host: Host) -> None:
    relayed = replace(discover(7), giaddr=IPv4Address("10.77.1.50"), hops=1)
    (answer,) = host.ask("a", relayed, to=("10.77.1.2", 67), port=67)
    assert answer.source == ("10.77.1.2", 67)
    assert answer.message.giaddr == IPv4Address("10.77.1.50")


def test_point_13_behind_a_relay_that_may_not_ask_by_http_nobody_is_offered_a_boot(
    host: Host, daemon: Process
) -> None:
    relayed = replace(discover(7), giaddr=IPv4Address("192.0.2.1"), hops=1)
    assert host.ask("a", relayed, to=("10.77.1.2", 67), port=67, seconds=QUIET_SECONDS) == []
    daemon.wait_for(
        r'"why": "its relay 192.0.2.1 is not in \[http\] allow.*"event": "dhcp.no_answer"', READY_SECONDS
    )


def test_point_19_another_dhcp_server_on_the_same_host_can_stay() -> None:
    with Namespace() as namespace:
        host = Host(namespace)
        host.start_dhcp_server()
        host.start_daemon()
        offers = host.ask("a", replace(discover(7), flags=BROADCAST_FLAG), expected=2)
    assert sorted(answer.message.yiaddr != IPv4Address(0) for answer in offers) == [False, True]
    ours = next(answer for answer in offers if answer.message.yiaddr == IPv4Address(0))
    assert ours.message.file == b"ipxe/snponly.efi"


def test_what_cannot_be_served_is_logged_with_its_reason(host: Host, daemon: Process) -> None:
    assert host.ask("a", discover(6), seconds=QUIET_SECONDS) == []
    daemon.wait_for(
        r'"why": "no iPXE binary for PXEClient:Arch:00006.*"event": "dhcp.no_answer"', READY_SECONDS
    )
