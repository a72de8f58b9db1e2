"""A server in a segment of its own, and a station from which a storm and machines' DISCOVERs come."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from support.proxy import discover

from iluvatar_pxe.lab.daemon import STATE, Server
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, Network
from iluvatar_pxe.wire.dhcp import encode

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"}
STATION = "machines"
LISTED = [f"52:54:00:77:00:{number:02x}" for number in range(1, 21)]
UNLISTED = [f"52:54:00:78:00:{number:02x}" for number in range(1, 21)]
PATIENCE = 60.0
LONGEST = 600.0


@dataclass(frozen=True)
class StormSite:
    namespace: Namespace
    daemon: Process

    @contextmanager
    def storm(self, per_second: int, *options: str) -> Iterator[Process]:
        """Let so many DISCOVERs of invented MACs come in a second, while the block runs."""
        words = [discover_hex("02:00:00:00:00:00"), INTERFACE, str(per_second), str(LONGEST), *options]
        process = self.start("storm", "dhcp_storm.py", words)
        process.wait_for("STORM", PATIENCE)
        yield process
        process.stop()

    def asks(self, macs: Sequence[str], waits: Sequence[float]) -> list[tuple[int, float]]:
        """Return for each machine how many DISCOVERs it sent until it was answered, and how long the last waited."""
        requests = [discover_hex(mac, xid=number) for number, mac in enumerate(macs, 1)]
        asking = self.start("asks", "dhcp_asks.py", [INTERFACE, ",".join(map(str, waits)), *requests])
        assert asking.wait(len(macs) * sum(waits) + PATIENCE) == 0
        pairs = (line.split() for line in asking.output.splitlines())
        return [(int(sent), float(milliseconds)) for sent, milliseconds in pairs]

    def command(self, *words: str) -> str:
        """Run ``iluvatar-pxe`` on the server, and return what it prints."""
        argv = [sys.executable, "-m", "iluvatar_pxe", *words, "--config", str(STATE.parent / "config.toml")]
        return self.namespace.run(argv, network="server")

    def start(self, name: str, script: str, words: Sequence[str]) -> Process:
        command = [sys.executable, str(TESTS / "support" / script), *words]
        return self.namespace.start(name, command, network=STATION, environment=ENVIRONMENT)


@contextmanager
def storm_site(others: Mapping[str, str] = MappingProxyType({})) -> Iterator[StormSite]:
    """Run a daemon; ``others`` are further stations, with their addresses."""
    with Namespace() as namespace:
        network = Network(namespace)
        server = Server(network)
        program = namespace.outside(server.assets) / "ipxe" / "snponly.efi"
        program.parent.mkdir()
        program.write_bytes(b"MZ" + bytes(1 << 18))
        macs = "".join(f' - "{mac}"\n' for mac in LISTED)
        server.write_fleet({"machines/many.yaml": f"match:\n macs:\n{macs}intent: local\n".encode()})
        for name, address in {STATION: "10.77.0.3", **others}.items():
            network.add_station(name, address)
        yield StormSite(namespace, server.start())


def discover_hex(mac: str, xid: int = 0) -> str:
    """Return a DISCOVER of this MAC in hexadecimal digits."""
    data = bytearray(encode(discover(7, mac=mac)))
    data[4:8] = xid.to_bytes(4)
    return data.hex()
