"""Plain data, as commands answer with it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Data = dict[str, Any]


def in_order(machines: Iterable[Data], *, every: bool) -> list[Data]:
    """Return described machines by name, then by MAC; unless ``every``, without those that only passed by."""
    return sorted((one for one in machines if every or not one["transient"]), key=_order)


def utc(moment: datetime) -> str:
    """Return the spelling of a time in JSON and in the database."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _order(machine: Data) -> tuple[bool, str, str]:
    """Those with a name come first."""
    return machine["name"] is None, machine["name"] or "", machine["macs"][0]
