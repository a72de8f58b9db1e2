"""What the daemon takes at rest, beside dnsmasq with nginx, and after storms: ``sudo .venv/bin/python -m bench.rest``.

Each runs in a network of its own, on one segment: the daemon with its default features and a fleet that it hosts,
dnsmasq as a proxyDHCP server with TFTP and DNS, nginx with one worker. Memory is what is resident, of a server with its
children; beside it what is the server's alone (USS), and its share of what several processes have (PSS). Wakeups are
voluntary context switches of all threads. Then 20,000 machines ask once, and 64 at once fetch a file by TFTP.
Needs atftp, dnsmasq and nginx.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process_cost import Cost, cost_of
from bench.rows import Row, report
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS, Network

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from support.storm_site import ENVIRONMENT, discover_hex  # noqa: E402

SETTLE = 12.0
"""Seconds until all that a start begins has ended."""
WATCHED = 20.0
"""Seconds for which a server is watched."""
PER_SECOND = 4_000
STORM_SECONDS = 5
TRANSFERS = 64
PEERS = "10.77.0.4"
FILE = "ipxe/snponly.efi"
PROGRAM_SIZE = 1 << 20
_AFTER = 15.0
"""Seconds after which memory is looked at again."""
_PATIENCE = 60.0
_FETCH = f"for i in $(seq {TRANSFERS}); do atftp --get -r {FILE} -l /dev/null {SERVER_ADDRESS} & done; wait"
_SETTINGS = f"""[network]
interfaces = ["{INTERFACE}"]
[dns]
upstream = ["{PEERS}"]
[state]
directory = "{DIRECTORY}/state"
[control]
socket = "{DIRECTORY}/control.sock"
[assets]
fetch = false
[log]
format = "json"
"""
_NGINX = f"""daemon off; worker_processes 1; pid {DIRECTORY}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{ access_log off; server {{ listen {PEERS}:80; root {DIRECTORY}; }} }}
"""


@dataclass(frozen=True)
class Site:
    """The daemon and its peers, and a station from which machines ask."""

    namespace: Namespace
    daemon: Process
    peers: Sequence[Process]

    def storm(self) -> None:
        """Let 20,000 machines ask once."""
        words = [discover_hex("02:00:00:00:00:00"), INTERFACE, str(PER_SECOND), str(STORM_SECONDS)]
        command = [sys.executable, str(TESTS / "support" / "dhcp_storm.py"), *words]
        storm = self.namespace.start("storm", command, network="machines", environment=ENVIRONMENT)
        storm.wait(_PATIENCE)

    def transfers(self) -> None:
        """Let 64 machines fetch a file at once."""
        fetching = self.namespace.start("fetch", ["sh", "-c", _FETCH], network="machines")
        fetching.wait(_PATIENCE)


@contextmanager
def site() -> Iterator[Site]:
    with Namespace() as namespace:
        network = Network(namespace)
        for name, address in (("server", SERVER_ADDRESS), ("machines", "10.77.0.3"), ("peers", PEERS)):
            network.add_station(name, address)
        program = namespace.outside(DIRECTORY / "state" / "assets" / FILE)
        program.parent.mkdir(parents=True)
        program.write_bytes(b"MZ" + bytes(PROGRAM_SIZE))
        namespace.outside(DIRECTORY / "config.toml").write_text(_SETTINGS)
        namespace.outside(DIRECTORY / "nginx.conf").write_text(_NGINX)
        peers = [namespace.start(words[0], words, network="peers") for words in (_dnsmasq(), _nginx())]
        command = [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(DIRECTORY / "config.toml")]
        environment = {
            name: value for name, value in ENVIRONMENT.items() if name != "PYTHONDONTWRITEBYTECODE"
        }
        daemon = namespace.start("daemon", command, network="server", environment=environment)
        daemon.wait_for(r'"event": "listening"', _PATIENCE)
        yield Site(namespace, daemon, peers)


def main() -> int:
    with site() as here:
        time.sleep(SETTLE)
        ours, peers = watch([here.daemon], here.peers)
        here.storm()
        time.sleep(_AFTER)
        stormed = cost_of([here.daemon.pid])
        here.transfers()
        time.sleep(_AFTER)
        fetched = cost_of([here.daemon.pid])
    print(f"the daemon alone: USS {ours.unique:.1f} MiB, PSS {ours.proportional:.1f} MiB")
    name = "dnsmasq + nginx"
    print(f"{name}: {peers.resident:.1f} MiB, {peers.processor:.2f} ms/s, {peers.wakeups:.2f} wakeups/s")
    rows = [
        Row(what="at rest: memory", ours=ours.resident, unit="MiB", goal=70, less_is_better=True),
        Row(what="at rest: processor", ours=ours.processor, unit="ms/s", goal=1, less_is_better=True),
        Row(what="at rest: wakeups", ours=ours.wakeups, unit="/s", goal=5, less_is_better=True),
    ]
    for what, after in (("20,000 DISCOVERs", stormed), (f"{TRANSFERS} TFTP transfers", fetched)):
        share = after.resident / ours.resident
        rows.append(
            Row(what=f"memory after {what}, of before", ours=share, unit="", goal=1.15, less_is_better=True)
        )
    return 0 if report(rows) else 1


def watch(*groups: Sequence[Process]) -> list[Cost]:
    """Return what each group of servers takes in a second, at the same time."""
    before = [cost_of([one.pid for one in group]) for group in groups]
    time.sleep(WATCHED)
    after = [cost_of([one.pid for one in group]) for group in groups]
    return [new.since(old, WATCHED) for old, new in zip(before, after, strict=True)]


def _dnsmasq() -> list[str]:
    words = ["--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", f"--interface={INTERFACE}"]
    dhcp = ["--dhcp-range=10.77.0.0,proxy", "--pxe-service=X86-64_EFI,iPXE,snponly.efi"]
    return ["dnsmasq", *words, *dhcp, "--enable-tftp", f"--tftp-root={DIRECTORY}", "--bind-interfaces"]


def _nginx() -> list[str]:
    return ["nginx", "-e", "stderr", "-c", str(DIRECTORY / "nginx.conf")]


if __name__ == "__main__":
    sys.exit(main())
