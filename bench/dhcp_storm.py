"""Machines that ask for a boot in a storm of DISCOVERs: ``sudo .venv/bin/python bench/dhcp_storm.py [PER_SECOND…]``.

Without arguments: none, 5,000 and 20,000 DISCOVERs of invented MACs in a second, from the same segment. For each, machines
that the fleet lists and new ones ask as EDK2 does, again after 4, 8 and 16 s. Storm, machines and daemon share the cores.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.storm_site import LISTED, UNLISTED, StormSite, storm_site

STORMS = (0, 5_000, 20_000)
AS_UEFI = (4.0, 8.0, 16.0)
COUNT = 10


def main() -> None:
    parser = ArgumentParser(description="machines that ask for a boot in a storm of DISCOVERs")
    parser.add_argument(
        "per_second", nargs="*", type=int, default=STORMS, help="DISCOVERs (default: 0 5000 20000)"
    )
    storms: Sequence[int] = parser.parse_args().per_second
    for per_second in storms:
        with storm_site() as site, site.storm(per_second) if per_second else nullcontext():
            print(f"{per_second} DISCOVERs/s")
            measure(site, "listed", LISTED[:COUNT])
            measure(site, "new", UNLISTED[:COUNT])


def measure(site: StormSite, name: str, macs: Sequence[str]) -> None:
    """Print how many machines were answered, after how many DISCOVERs, and how long the answer took."""
    answers = [one for one in site.asks(macs, AS_UEFI) if one[0]]
    sent = " ".join(str(number) for number, _ in answers)
    wait = f"{median(milliseconds for _, milliseconds in answers):.0f} ms" if answers else "-"
    print(f"  {name}: {len(answers)} of {len(macs)} answered, after {sent} DISCOVERs; p50 {wait}")


if __name__ == "__main__":
    main()
