"""DHCP clients of other projects on one network with a router and our daemon: who does not boot never hears of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest
from support.stations import Site, Station, site

from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, ROUTER_ADDRESS, SERVER_ADDRESS
from iluvatar_pxe.lab.room.router import start_router
from iluvatar_pxe.lab.watch.capture import Capture
from iluvatar_pxe.wire.dhcp import DhcpMessage, MessageType, Option, decode

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces"),
]

SCRIPT = DIRECTORY / "show"
CLIENT = "client"
PATIENCE = 30.0


@dataclass(frozen=True)
class Exchange:
    """What a client printed, and the offers that were sent to it meanwhile."""

    printed: str
    offers: dict[IPv4Address | None, DhcpMessage]


class Segment:
    """A router, our daemon, a machine without an address, and another that boots."""

    def __init__(self, built: Site) -> None:
        self.namespace = built.namespace
        self._network = built.network
        start_router(built.network)
        built.start({"fleet.yaml": "domain: lab.home.arpa\n"})
        self._booting = built.add("booting", 1)
        self._mac = Station(built.network, CLIENT, "10.77.0.50", "52:54:00:77:02:01").mac
        script = self.namespace.outside(SCRIPT)
        script.write_text("#!/bin/sh\nenv\n")
        script.chmod(0o755)

    def listen_to(self, client: Callable[[Namespace], str]) -> Exchange:
        """Run a client in a machine without an address.

        The daemon answers in the order in which it is asked, so the answer to another machine ends the wait
        for what it might send to this one.
        """
        self.namespace.run(["ip", "address", "flush", "dev", INTERFACE], network=CLIENT)
        capture = Capture(self._network, "exchange")
        printed = client(self.namespace)
        assert self._booting.asks_for_a_boot()
        messages = [decode(one.payload) for one in capture.stop() if one.target_port == 68]
        offers = [one for one in messages if one.message_type is MessageType.OFFER]
        booting = bytes.fromhex(self._booting.mac.replace(":", ""))
        return Exchange(
            printed,
            {offer.address(Option.SERVER_ID): offer for offer in offers if offer.chaddr != booting},
        )


@pytest.fixture(scope="module")
def segment() -> Iterator[Segment]:
    with site() as built:
        yield Segment(built)


def udhcpc(*options: str) -> Callable[[Namespace], str]:
    need("udhcpc")
    command = ["udhcpc", "-f", "-q", "-n", "-i", INTERFACE, "-s", str(SCRIPT), "-T", "1", *options]
    return lambda namespace: namespace.run(["sh", "-c", '"$@" 2>&1 || :', "sh", *command], network=CLIENT)


def dhclient(namespace: Namespace) -> str:
    """It runs until the namespace ends, unless it is stopped: it keeps its lease."""
    need("dhclient")
    files = ("-cf", "/dev/null", "-lf", f"{DIRECTORY}/dhclient.leases", "-pf", f"{DIRECTORY}/dhclient.pid")
    command = ["dhclient", "-4", "-1", "-d", "-v", "-sf", "/bin/true", *files, INTERFACE]
    process = namespace.start("dhclient", command, network=CLIENT)
    process.wait_for("bound to", PATIENCE)
    process.stop()
    return process.output


def nmap(namespace: Namespace) -> str:
    """It listens to the end of its timeout, and shows every offer that came."""
    need("nmap")
    namespace.run(["ip", "address", "add", "10.77.0.50/24", "dev", INTERFACE], network=CLIENT)
    script = ("--script", "broadcast-dhcp-discover", "--script-args", "broadcast-dhcp-discover.timeout=2s")
    return namespace.run(["nmap", "-e", INTERFACE, *script], network=CLIENT)


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def test_udhcpc_gets_the_routers_lease_and_nothing_from_us(segment: Segment) -> None:
    exchange = segment.listen_to(udhcpc())
    assert f"serverid={ROUTER_ADDRESS}" in exchange.printed
    assert set(exchange.offers) == {IPv4Address(ROUTER_ADDRESS)}


def test_dhclient_gets_the_routers_lease_and_nothing_from_us(segment: Segment) -> None:
    exchange = segment.listen_to(dhclient)
    assert f"from {ROUTER_ADDRESS}" in exchange.printed
    assert set(exchange.offers) == {IPv4Address(ROUTER_ADDRESS)}


def test_nmap_finds_one_dhcp_server_and_it_is_the_router(segment: Segment) -> None:
    exchange = segment.listen_to(nmap)
    assert "Response 1 of 1" in exchange.printed
    assert f"Server Identifier: {ROUTER_ADDRESS}" in exchange.printed
    assert set(exchange.offers) == {IPv4Address(ROUTER_ADDRESS)}


def test_a_client_that_says_it_boots_is_offered_a_program(segment: Segment) -> None:
    """udhcpc takes the first offer, whatever is in it, so which lease it ends with is chance."""
    boots = ("-V", "PXEClient:Arch:00007:UNDI:003016", "-x", "0x5d:0007", "-t", "1")
    exchange = segment.listen_to(udhcpc(*boots))
    assert set(exchange.offers) == {IPv4Address(ROUTER_ADDRESS), IPv4Address(SERVER_ADDRESS)}
    offer = exchange.offers[IPv4Address(SERVER_ADDRESS)]
    assert (offer.file, offer.siaddr) == (b"ipxe/snponly.efi", IPv4Address(SERVER_ADDRESS))
