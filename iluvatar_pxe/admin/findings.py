"""The answer to ``ShowHealth`` as lines, for ``check`` and for the page. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from iluvatar_pxe.boot.words import NO_PROGRAM


def findings(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return how each part is, then what machines and clusters wait for, and firmware for which there is no iPXE."""
    yield from report["parts"].items()
    told = tuple(report["parts"].values())
    for part in ("boot", "clusters", "time", "network", "notifications"):
        yield from ((part, line) for line in report[part] if not any(one.startswith(line) for one in told))
    programs: dict[str, str] = report["programs"]
    yield from (("iPXE", f"{kind}: {one}") for kind, one in programs.items() if one.startswith(NO_PROGRAM))
