"""200 machines that are switched on at once, beside dnsmasq with nginx doing the same work: ``python -m bench.boot_storm``.

Usage, as root: python -m bench.boot_storm [--machines N] [--rounds N]

Each machine asks for a boot by UEFI's PXE (DISCOVER, then port 4011), fetches the boot program by TFTP, asks by iPXE,
and fetches by HTTP the first script, its own, a kernel and an initramfs. The servers take turns, on one core; the machines
have the other, and cards of their own. Tells how long OFFERs took, from the first DISCOVER on, and when the last machine
had its kernel and initramfs.
"""

import os
import shutil
import signal
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.fleets import INITRAMFS, KERNEL

from bench.boot_segment import ADDRESS, INTERFACE, Segment, boot_segment
from bench.nginx import NGINX, nginx
from bench.own_network import enter_own_network
from bench.rows import Row, report
from bench.script_servers import daemon, write_assets
from bench.servers import Server, free_ports, running

PEER = "dnsmasq and nginx"
SIZES = {"ipxe/snponly.efi": 256 << 10, KERNEL: 2 << 20, INITRAMFS: 4 << 20}
"""Bytes of boot files: so few that the servers are asked often, and not the segment measured."""
MOST_TRANSFERS = 500
"""dnsmasq refuses more than 50, unless it is told."""
MEDIAN_GOAL, LATE_GOAL = 0.5, 3.0


class Storm(NamedTuple):
    """Seconds."""

    median: float
    late: float
    """99 % of machines had an OFFER by then."""
    last: float
    """The last machine had its kernel and initramfs then."""


def main() -> int:
    parser = ArgumentParser(description="many machines at once, beside dnsmasq and nginx")
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    enter_own_network()
    missing = [name for name in ("taskset", "nsenter", "dnsmasq", NGINX) if not shutil.which(name)]
    if os.geteuid() != 0 or missing:
        print(f"needs {', '.join(missing) or 'root'}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left, as after Ctrl-C
    with boot_segment(options.machines) as segment:
        rounds = [
            (storm(segment, options.machines, own_site), storm(segment, options.machines, peer_site))
            for _ in range(options.rounds)
        ]
    own, peer = (Storm(*map(median, zip(*storms, strict=True))) for storms in zip(*rounds, strict=True))
    return 0 if report(rows_of(options.machines, own, peer)) else 1


Site = Callable[[Path, int], AbstractContextManager[Server]]
"""Runs a server for so many machines, with its files in a directory."""


def storm(segment: Segment, machines: int, site: Site) -> Storm:
    """Boot all machines at once."""
    with TemporaryDirectory(prefix="bench-storm-") as place, site(Path(place), machines) as server:
        given = {"machines": machines, "to": [ADDRESS, server.port]}
        times = segment.python("bench.boot_storm_clients", max(os.sched_getaffinity(0)), given)
    offers = sorted(offer for offer, _ in times)
    return Storm(median(offers), offers[int(len(offers) * 0.99) - 1], max(kernel for _, kernel in times))


def own_site(place: Path, machines: int) -> AbstractContextManager[Server]:
    return daemon(place, machines, min(os.sched_getaffinity(0)), SIZES, 69)


@contextmanager
def peer_site(place: Path, _: int) -> Iterator[Server]:
    """Run dnsmasq, as proxy and for TFTP, and nginx with the boot files and a script that names them."""
    core, root = min(os.sched_getaffinity(0)), place / "assets"
    (port,) = free_ports(1, socket.SOCK_STREAM)
    write_assets(root, SIZES)
    url = f"http://{ADDRESS}:{port}"
    script = (
        f"#!ipxe\nkernel {url}/{KERNEL} initrd=initramfs\ninitrd --name initramfs {url}/{INITRAMFS}\nboot\n"
    )
    for name in ("boot.ipxe", "ipxe.ipxe"):
        (root / name).write_text(script)
    location = f"location / {{ root {root}; }} location = /ipxe {{ root {root}; try_files /ipxe.ipxe =404; }}"
    dnsmasq = [
        *(
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--log-facility=-",
            "--port=0",
        ),
        *(f"--interface={INTERFACE}", "--bind-interfaces", f"--dhcp-range={ADDRESS},proxy"),
        *(
            "--enable-tftp",
            f"--tftp-root={root}",
            f"--tftp-max={MOST_TRANSFERS}",
            "--dhcp-match=set:ipxe,175",
        ),
        f"--dhcp-boot=tag:ipxe,{url}/boot.ipxe,,{ADDRESS}",
        "--pxe-service=tag:!ipxe,x86-64_EFI,network boot,ipxe/snponly.efi",
    ]
    with (
        running("dnsmasq", 69, dnsmasq, core, place, lambda server: server.process.poll() is None),
        running(NGINX, port, nginx(place, f"{ADDRESS}:{port}", location), core, place, _listens) as server,
    ):
        yield server


def _listens(server: Server) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex((ADDRESS, server.port)) == 0


def rows_of(machines: int, own: Storm, peer: Storm) -> Iterator[Row]:
    """The goals are times, and no ratios, so what the peer needs has rows of its own."""
    what = f"{machines} machines at once"
    for name, mine, other, goal in (
        (f"{what}: OFFER, median", own.median, peer.median, MEDIAN_GOAL),
        (f"{what}: OFFER, 99 %", own.late, peer.late, LATE_GOAL),
    ):
        yield Row(what=name, ours=mine, unit="s", goal=goal, less_is_better=True)
        yield Row(what=f"{name}, {PEER}", ours=other, unit="s", goal=None, less_is_better=True)
    name = f"{what}: the last has its kernel"
    yield Row(
        what=name, ours=own.last, unit="s", goal=None, peer=peer.last, peer_name=PEER, less_is_better=True
    )


if __name__ == "__main__":
    sys.exit(main())
