"""How long a machine takes from power to its config: ours beside the peer, in one run on one machine.

Usage: python bench/reference_boot.py [KIND [RUNS]]     (default: uefi-x64 3)

The peer is dnsmasq beside a static HTTP server, once with this host's installed iPXE and once with a
current one. The runs take turns, so that a busy moment hits all alike.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from peer import start_peer

from iluvatar_pxe.lab.daemon import Listed, start_daemon
from iluvatar_pxe.lab.firmware import firmware_named
from iluvatar_pxe.lab.ipxe import current_ipxe
from iluvatar_pxe.lab.kernel import stand_in
from iluvatar_pxe.lab.lab import MAC, Lab
from iluvatar_pxe.lab.network import Network
from iluvatar_pxe.lab.stages import STAGES, stage_table

CACHE = Path(__file__).parents[1] / ".cache" / "lab"
CONFIG = b"# a machine config\n" * 200
LAST_STAGE = STAGES[-1]
INSTALLED = Path("/usr/lib/ipxe")


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "uefi-x64"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    contestants = _contestants(firmware_named(kind).architecture)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, serve in contestants.items():
            with Lab() as lab:
                serve(lab.network)
                rows[name].append(lab.boot(kind).stages)
            print("\n".join(stage_table([(name, rows[name][-1])])[1:]), flush=True)
    _report(kind, runs, rows)


def _contestants(architecture: str) -> dict[str, Callable[[Network], object]]:
    system, current = stand_in(CACHE, architecture), current_ipxe(CACHE)
    return {
        "peer, installed iPXE": lambda network: start_peer(network, INSTALLED, system, CONFIG),
        "peer, current iPXE": lambda network: start_peer(network, current, system, CONFIG),
        "ours, current iPXE": lambda network: start_daemon(network, system, Listed(MAC, CONFIG), current),
    }


def _report(kind: str, runs: int, rows: dict[str, list[dict[str, float]]]) -> None:
    medians = {name: _median(times) for name, times in rows.items()}
    print(f"\n{kind}: median of {runs} runs, seconds since switching on")
    print("\n".join(stage_table(medians.items())))
    *peers, ours = medians.items()
    for name, times in peers:
        ratio = ours[1][LAST_STAGE] / times[LAST_STAGE]
        print(f"{LAST_STAGE}: {ours[0]} / {name} = {ratio:.2f}")


def _median(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each stage that every run reached."""
    return {
        stage: median(run[stage] for run in runs) for stage in STAGES if all(stage in run for run in runs)
    }


if __name__ == "__main__":
    main()
