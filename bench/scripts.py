"""How fast boot scripts are served, beside nginx with files of the same size: ``python -m bench.scripts`` (as root).

Sixteen machines, each with a card, a connection that stays open and one request under way, ask for their own script
(``/ipxe``, with a ticket in it) or for the first one (``/boot.ipxe``) over an Ethernet segment of veth, again and again for
two seconds, from the two servers in turns, and from aiohttp with nothing around it, which is the most that a server of that
library can reach. Each server has one core, and the machines the other. Prints requests in a second of the server's
processor time, and of the clock: medians of the rounds. The former is what is compared: the machines, which are a program in
Python, are slower than nginx.
"""

import os
import shutil
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.fleets import KERNEL
from support.proxy import discover

from bench.boot_segment import ADDRESS, Segment, boot_segment, card_of, mac_of
from bench.nginx import NGINX
from bench.own_network import enter_own_network
from bench.rows import Row, report
from bench.script_servers import bare_aiohttp, daemon, static_site
from bench.servers import Server
from iluvatar_pxe.wire.dhcp import encode

MACHINES = 16
SECONDS = 2.0
GOAL = 0.35
QUERY = (
    "mac={mac}&uuid={uuid}&serial=S-{number}&manufacturer=QEMU&product=Standard%20PC%20(Q35%20+%20ICH9,%202009)"
    "&board=&arch=x86_64&platform=efi&version=1.21.1&net0={mac}&net1=&net2=&net3=&net4=&net5=&net6=&net7="
    "&waited=&choice="
)


class Rate(NamedTuple):
    """Requests in a second: of the clock, and of the time in which the server had a processor."""

    clock: float
    core: float


def main() -> int:
    parser = ArgumentParser(description="boot scripts by HTTP, beside nginx")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (default: 3)")
    rounds: int = parser.parse_args().rounds
    enter_own_network()
    cores = sorted(os.sched_getaffinity(0))
    missing = [name for name in ("taskset", "nsenter", NGINX) if not shutil.which(name)]
    if os.geteuid() != 0 or missing or len(cores) < 2:
        print(f"needs {', '.join(missing) or 'root and two cores'}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left, as after Ctrl-C
    with TemporaryDirectory(prefix="bench-scripts-") as place, boot_segment(MACHINES) as segment:
        return 0 if report(measure(Path(place), segment, cores, rounds)) else 1


def measure(place: Path, segment: Segment, cores: Sequence[int], rounds: int) -> Iterator[Row]:
    with ExitStack() as stack:
        mine = stack.enter_context(daemon(place, MACHINES, cores[0]))
        segment.discover([encode(discover(7, mac=mac_of(number))) for number in range(MACHINES)])
        pages = {"/ipxe": [f"/ipxe?{query_of(number)}" for number in range(MACHINES)]}
        pages["/boot.ipxe"] = ["/boot.ipxe"] * MACHINES
        texts = {path: asked(segment, mine, targets, cores[1], 0.1)[1] for path, targets in pages.items()}
        if KERNEL not in texts["/ipxe"]:
            sys.exit(f"not a machine's script: {texts['/ipxe']}")
        peers = [stack.enter_context(one(place, texts, cores[0])) for one in (static_site, bare_aiohttp)]
        for path, targets in pages.items():
            found = [
                [asked(segment, server, targets, cores[1], SECONDS)[0] for server in (mine, *peers)]
                for _ in range(rounds)
            ]
            yield from rows_of(path, found)


def rows_of(path: str, found: Sequence[Sequence[Rate]]) -> Iterator[Row]:
    """Tell what was found in each round of ours, nginx and aiohttp alone."""
    own, peer, bare = (Rate(*map(median, zip(*rates, strict=True))) for rates in zip(*found, strict=True))
    what, of_core = f"{path}, {MACHINES} connections", ", for each second of the server's processor time"
    for name, mine, other, other_name, goal in (
        (what + of_core, own.core, peer.core, NGINX, GOAL),
        (what, own.clock, peer.clock, NGINX, GOAL),
        (what + of_core + ", beside aiohttp alone", own.core, bare.core, "aiohttp", None),
    ):
        yield Row(what=name, ours=mine, unit="requests/s", goal=goal, peer=other, peer_name=other_name)


def query_of(number: int) -> str:
    uuid = f"4c4c4544-0042-3510-8054-b4c04f4d{number:04x}"
    return QUERY.format(mac=mac_of(number), uuid=uuid, number=number).replace("(", "%28").replace(")", "%29")


def asked(
    segment: Segment, server: Server, targets: Sequence[str], core: int, seconds: float
) -> tuple[Rate, str]:
    """Return how fast a server answers all machines, and the last one's answer."""
    asks = [[card_of(number), target] for number, target in enumerate(targets)]
    before = server.worked
    given = {"to": [ADDRESS, server.port], "asks": asks, "seconds": seconds}
    answered, took, body = segment.python("bench.script_clients", core, given)
    return Rate(answered / took, answered / (server.worked - before)), body


if __name__ == "__main__":
    sys.exit(main())
