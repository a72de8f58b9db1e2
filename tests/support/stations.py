"""Machines of a network of our own, each with its own card: they ask by DHCP and HTTP, as firmware and iPXE do."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from support.fleets import INITRAMFS, KERNEL
from support.proxy import discover
from support.rows import inventory_rows

from iluvatar_pxe.lab.daemon import STATE, Server
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS, Network
from iluvatar_pxe.wire.dhcp import DhcpMessage, encode

SUPPORT = Path(__file__).parent
_PORT = 8080


@dataclass(frozen=True)
class Answer:
    """An HTTP status and body."""

    status: int
    text: str

    @property
    def ticket(self) -> str:
        """The path of the machine configuration that a script names; empty when it names none."""
        urls = [word for word in self.text.split() if word.startswith("talos.config=")]
        return "/talos/" + urls[0].rpartition("/talos/")[2] if urls else ""


class Station:
    """A machine with one card."""

    def __init__(self, network: Network, name: str, address: str, mac: str) -> None:
        self._namespace = network.namespace
        self.name, self.address, self.mac = network.add_station(name, address), address, mac
        self.become(mac)

    def become(self, mac: str) -> None:
        """Get another card."""
        self.mac = mac
        self._namespace.run(["ip", "link", "set", INTERFACE, "address", mac], network=self.name)

    def asks_for_a_boot(self, mac: str = "", *options: tuple[int, bytes]) -> int:
        """Send a DISCOVER as UEFI sends it, and return how many answers came."""
        request = encode(discover(7, *options, mac=mac or self.mac)).hex()
        output = self._run(str(SUPPORT / "firmware_dhcp.py"), request, INTERFACE, "5")
        return len(output.splitlines())

    def asks_as_a_program(self, mac: str, port: int = 50000) -> int:
        """Send a DISCOVER as any program of a running system can, and return how many answers came."""
        return self.sends(discover(7, mac=mac), port, 67, seconds=5.0)

    def sends(self, message: DhcpMessage, port: int, to: int, *, seconds: float) -> int:
        """Send a message from an ordinary socket, and return how many answers came in time."""
        arguments = [encode(message).hex(), INTERFACE, str(port), SERVER_ADDRESS, str(to), "1", str(seconds)]
        return len(self._run(str(SUPPORT / "dhcp_client.py"), *arguments).splitlines())

    def _run(self, *words: str) -> str:
        return self._namespace.run([sys.executable, *words], network=self.name)

    def get(self, path: str) -> Answer:
        """Fetch a path of the daemon."""
        url = f"http://{SERVER_ADDRESS}:{_PORT}{path}"
        command = ["curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}", url]
        body, _, status = self._namespace.run(command, network=self.name).rpartition("\n")
        return Answer(int(status), body)

    def asks_what_to_boot(self, **told: str) -> Answer:
        """Ask for ``/ipxe`` as the first script does; ``told`` replaces what it says of itself."""
        own = {"mac": self.mac, "arch": "x86_64", "platform": "efi", "product": "Lab", "net0": self.mac}
        return self.get("/ipxe?" + urlencode(own | told, quote_via=quote))

    def boots(self, **told: str) -> Answer:
        """Ask by DHCP, then for a script."""
        assert self.asks_for_a_boot(), "the daemon offers a boot"
        return self.asks_what_to_boot(**told)


class Site:
    """A network with our daemon in it, and as many machines as are added."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.network = Network(namespace)
        self.server = Server(self.network)
        self.daemon: Process | None = None

    def add(self, name: str, number: int) -> Station:
        """Add a machine: 52:54:00:77:01:NUMBER, 10.77.0.(100 + NUMBER)."""
        return Station(self.network, name, f"10.77.0.{100 + number}", f"52:54:00:77:01:{number:02x}")

    def start(self, files: Mapping[str, str]) -> Process:
        """Start the daemon with these files in its fleet."""
        self.server.write_fleet({name: text.encode() for name, text in files.items()})
        self.daemon = self.server.start()
        return self.daemon

    def command(self, *words: str) -> str:
        """Run ``iluvatar-pxe`` on the server, and return what it prints."""
        config = str(STATE.parent / "config.toml")
        argv = [sys.executable, "-m", "iluvatar_pxe", *words, "--config", config]
        return self.namespace.run(argv, network="server")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query to the daemon's database."""
        return inventory_rows(self.namespace, query)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the daemon's log lines of one event."""
        assert self.daemon
        told = (line for line in self.daemon.output.splitlines() if line.startswith("{") and event in line)
        return [line for line in map(json.loads, told) if line["event"] == event]


@contextmanager
def site() -> Iterator[Site]:
    """Build the network, with boot files on the server; everything in it ends with the block."""
    with Namespace() as namespace:
        built = Site(namespace)
        assets = namespace.outside(built.server.assets)
        for name in (KERNEL, INITRAMFS, "ipxe/snponly.efi"):
            (assets / name).parent.mkdir(parents=True, exist_ok=True)
            (assets / name).write_bytes(b"boot file")
        yield built
