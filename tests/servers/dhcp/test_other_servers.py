"""Other DHCP servers on a segment: a router and a netboot server, both dnsmasq, as the real daemon hears them."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.proxy import boot_request, discover

from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import BROADCAST_FLAG, DhcpMessage, Option, encode

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "tests" / "support" / "dhcp_client.py"
READY_SECONDS = 120.0
HOSTS = {"server": "10.77.1.2", "router": "10.77.1.1", "rival": "10.77.1.9", "client": "10.77.1.50"}
COMMAND = [sys.executable, "-m", "iluvatar_pxe"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


class Segment:
    """Four hosts on a bridge."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.settings = DIRECTORY / "config.toml"
        self._ip("link", "add", "bridge", "type", "bridge")
        self._ip("link", "set", "bridge", "up")
        for host, address in HOSTS.items():
            self._ip("netns", "add", host)
            self._ip("link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", host)
            self._ip("link", "set", host, "master", "bridge", "up")
            self._ip("-n", host, "address", "add", f"{address}/24", "dev", "eth0")
            self._ip("-n", host, "link", "set", "lo", "up")
            self._ip("-n", host, "link", "set", "eth0", "up")

    def start_daemon(self) -> Process:
        self.namespace.outside(self.settings).write_text(
            '[network]\ninterfaces = ["eth0"]\n[dns]\nenabled = false\n'
            f'[state]\ndirectory = "{DIRECTORY}/state"\n[assets]\nfetch = false\n[log]\nformat = "json"\n'
        )
        command = [*COMMAND, "serve", "--config", str(self.settings)]
        daemon = self.namespace.start("daemon", command, network="server", environment=ENVIRONMENT)
        daemon.wait_for(r'"interface": "eth0".*"event": "listening"', READY_SECONDS)
        return daemon

    def start_dnsmasq(self, host: str, *options: str) -> None:
        command = [
            *("dnsmasq", "--keep-in-foreground", "--port=0", "--user=root", "--log-facility=-"),
            *("--conf-file=/dev/null", f"--dhcp-leasefile={DIRECTORY}/{host}.leases", *options),
        ]
        self.namespace.start(host, command, network=host).wait_for("DHCP, ", READY_SECONDS)

    def send(self, message: DhcpMessage, expected: int) -> int:
        """Broadcast a message from the client; return how many replies came."""
        words = [encode(message).hex(), "eth0", 68, "255.255.255.255", 67, expected, 10.0]
        command = [sys.executable, str(CLIENT), *map(str, words)]
        return len(self.namespace.run(command, network="client").splitlines())

    def _ip(self, *arguments: str) -> None:
        self.namespace.run(["ip", *arguments])


@pytest.fixture
def segment() -> Iterator[Segment]:
    with Namespace() as namespace:
        yield Segment(namespace)


def test_a_netboot_server_is_told_and_the_router_is_not(segment: Segment) -> None:
    segment.start_dnsmasq("router", "--dhcp-range=10.77.1.100,10.77.1.120,60")
    segment.start_dnsmasq("rival", "--dhcp-range=10.77.1.0,proxy", "--pxe-service=x86-64_EFI,rival,rival.efi")
    daemon = segment.start_daemon()
    assert segment.send(replace(discover(7), flags=BROADCAST_FLAG), expected=3) == 3
    daemon.wait_for(r'"server": "10.77.1.9".* answers boot requests, too.*"dhcp.other_server"', READY_SECONDS)
    answered = boot_request(7)
    chosen = replace(answered, options=(*answered.options, (Option.SERVER_ID, bytes((10, 77, 1, 8)))))
    segment.send(chosen, expected=0)
    daemon.wait_for(
        r'"server": "10.77.1.8".* gives addresses, and so does 10.77.1.1; .*"dhcp.other_server"',
        READY_SECONDS,
    )
    told = json.loads(
        segment.namespace.run(
            ["sh", "-c", f"{' '.join(COMMAND)} network --json --config {segment.settings} || test $? = 1"],
            network="server",
            environment=ENVIRONMENT,
        )
    )
    servers = {one["address"]: one for one in told["dhcp_servers"]}
    assert {address: bool(one["problem"]) for address, one in servers.items()} == {
        "10.77.1.1": False,
        "10.77.1.8": True,
        "10.77.1.9": True,
    }
    assert (servers["10.77.1.1"]["gives_addresses"], servers["10.77.1.1"]["boots"]) == (True, False)
    assert (servers["10.77.1.9"]["gives_addresses"], servers["10.77.1.9"]["boots"]) == (False, True)
    assert daemon.stop() == 0
