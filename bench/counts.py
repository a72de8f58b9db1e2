"""Instructions that the daemon takes for an OFFER, for /ipxe, for a window by TFTP and for an answer by DNS.

Usage: python -m bench.counts [--write]

The daemon runs under Valgrind as it does elsewhere, in a network of its own, which needs root, and is asked by machines that
have asked before: what the first OFFER of one costs differs by more than a tenth. Each figure is the difference of twice as
many requests and as many, so that nothing else is in it, of the first thread, in which all requests are answered; the median
of several. What the daemon does at rest in the same time is taken off, and what the kernel does is not counted. Compares with
bench/counts.toml, and exits 1 where a figure differs by more than a tenth, or where there are none; ``--write`` writes the new
figures there.
"""

import os
import platform
import sys
import time
import tomllib
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bench.callgrind import Counted
from bench.counted_daemon import WINDOWS, Asker, running
from bench.own_network import enter_own_network

FILE = Path(__file__).with_suffix(".toml")
LOCK = Path(__file__).parents[1] / "requirements.lock"
ROUNDS = 9
REST_SECONDS = 5.0
MOST = 0.10
"""By which a figure may differ."""
HEADER = f"""\
# Instructions of the daemon for one of each, by version of Python and architecture. {MOST:.0%} more or less is a fault.
# `make bench-counts` writes them, when a change is meant.
"""
Figures = Mapping[str, int | str]
PATHS: dict[str, tuple[int, Callable[[Asker, int], None]]] = {
    "offer": (50, Asker.offers),
    "offer-repeated": (100, Asker.repeated_offers),
    "ipxe": (50, Asker.scripts),
    "ipxe-repeated": (100, Asker.repeated_scripts),
    "tftp-window": (WINDOWS, Asker.windows),
    "dns-answer": (100, Asker.names),
}
"""How many of each are asked for at first."""


def main() -> int:
    parser = ArgumentParser(
        description="Instructions for what machines ask for most, beside those that are known"
    )
    parser.add_argument("--write", action="store_true", help="write the figures, in place of comparing them")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("needs root, for a network of its own: sudo make bench-check")
    enter_own_network()
    here = f"{platform.python_version_tuple()[0]}.{platform.python_version_tuple()[1]} {platform.machine()}"
    tables = tomllib.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    found = measured()
    for name, count in found.items():
        print(f"{name}: {count:,} instructions")
    if options.write:
        tables[here] = found | {"counted-with": fingerprint()}
        FILE.write_text(text_of(tables), encoding="utf-8")
        return 0
    faults = faults_of(tables, here, found)
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


def measured() -> dict[str, int]:
    """Return the instructions for one of each, by name."""
    os.environ["PYTHONHASHSEED"] = "0"
    with TemporaryDirectory() as directory, running(Path(directory)) as (daemon, asker):
        for count, ask in PATHS.values():
            ask(asker, count)
        daemon.begin()
        for count, ask in PATHS.values():
            ask(asker, count)
        at_rest = daemon.instructions(partial(time.sleep, REST_SECONDS)) / REST_SECONDS
        return {
            name: round(median(_difference(daemon, asker, *path, at_rest) for _ in range(ROUNDS)))
            for name, path in PATHS.items()
        }


def _difference(
    daemon: Counted, asker: Asker, count: int, ask: Callable[[Asker, int], None], at_rest: float
) -> float:
    began = time.monotonic()
    few = daemon.instructions(partial(ask, asker, count))
    between = time.monotonic()
    many = daemon.instructions(partial(ask, asker, 2 * count))
    longer = time.monotonic() - between - (between - began)
    return (many - few - at_rest * longer) / count


def faults_of(tables: Mapping[str, Figures], here: str, found: Mapping[str, int]) -> list[str]:
    """Return a line for each figure that differs too much from this Python's, or one where there are none of them."""
    if here not in tables:
        return [
            f"nothing was compared: no figures for Python {here} in {FILE.name}; to write them: make bench-counts"
        ]
    return compared(tables[here], found, fingerprint())


def compared(known: Figures, found: Mapping[str, int], counted_with: str) -> list[str]:
    """Return a line for each figure that differs too much from the one that is known, or is not known."""
    note = (
        "" if known.get("counted-with") == counted_with else ", counted with other programs: see counted-with"
    )
    faults = []
    for name, count in found.items():
        before = known.get(name)
        if not isinstance(before, int):
            faults.append(f"{name}: no figure in {FILE.name}; if it is meant: make bench-counts")
        elif abs(ratio := count / before - 1) > MOST:
            faults.append(
                f"{name}: {count:,} instructions, {ratio:+.1%} of {before:,}{note}; if that is meant: make bench-counts"
            )
    return faults


def fingerprint() -> str:
    """Return what figures were counted with: Python, the C library, and a digest of all pinned packages."""
    digest = sha256(LOCK.read_bytes()).hexdigest()[:12]
    return f"{platform.python_version()}, {' '.join(platform.libc_ver())}, requirements.lock {digest}"


def text_of(tables: Mapping[str, Figures]) -> str:
    """Return figures as TOML."""
    parts = [HEADER]
    for title, figures in sorted(tables.items()):
        lines = (
            f"{name} = {value!r}\n" if isinstance(value, int) else f'{name} = "{value}"\n'
            for name, value in figures.items()
        )
        parts.append(f'["{title}"]\n{"".join(lines)}')
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
