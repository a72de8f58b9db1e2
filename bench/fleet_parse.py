"""What a fleet of many machines' files costs to read: at first, and again after one of them has changed.

Usage: python bench/fleet_parse.py [FILES]     (default: 10000)
"""

import sys
import time
from collections.abc import Mapping

from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.reading import read_text

FLEET = {
    "fleet.yaml": "rules: [{match: {arch: x86_64}, layer: arda}]\n",
    "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9, schematic: none}\nconfig: {worker: configs/worker.yaml}\n",
    "configs/worker.yaml": "machine: {type: worker}\n",
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    files = FLEET | {f"machines/m{number}.yaml": machine(number) for number in range(count)}
    changed = {**files, "machines/m0.yaml": machine(count)}
    print(f"{count:6} files at first:             {seconds(files):6.2f} s")
    print(f"{count:6} files, one of them changed: {seconds(changed):6.2f} s")
    print(f"texts read: {read_text.cache_info().misses} (with fleet.yaml and layers/arda.yaml)")


def machine(number: int) -> str:
    """Return a machine's file."""
    mac = (0x525400000000 + number).to_bytes(6).hex(":")
    return f'match:\n  macs: ["{mac}"]\nlayer: arda\nrole: worker\nlocal: exit\n'


def seconds(files: Mapping[str, str]) -> float:
    """Return how long it takes to read a fleet."""
    started = time.perf_counter()
    parse_fleet(files)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
