"""How a boot ended, as the daemon's log tells it."""

import json
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

_SCRIPTS = ("script", "confirm")
"""Stages at which iPXE is told what to do."""
_ENDS = {"hold": "the machine is told to wait", "local": "the machine is told to boot its own disk"}
"""What is served there and leads to no config."""


class Outcome(Struct, frozen=True):
    """The end of a boot; ``reason`` says why it did not come to its config."""

    reached_config: bool
    reason: str = ""


def outcome_of(log: str, mac: str) -> Outcome | None:
    """Return how the boot of a machine ended, or None while the log, one JSON object in a line, does not tell."""
    for event in _events(log):
        if event.get("mac") == mac and (outcome := _outcome(event)):
            return outcome
    return None


def lines_about(log: str, mac: str, most: int) -> list[str]:
    """Return the last lines of the log that name a machine."""
    return [line for line in log.splitlines() if mac in line][-most:]


def _outcome(event: dict[str, Any]) -> Outcome | None:
    stage, why = event.get("stage"), event.get("why", "")
    if stage == "config":
        return Outcome(reached_config=True)
    if stage in _SCRIPTS and (told := _ENDS.get(event.get("served", ""))):
        return Outcome(reached_config=False, reason=f"{told}: {why}")
    if event.get("event") == "dhcp.no_answer":
        return Outcome(reached_config=False, reason=f"no answer to its DHCP: {why}")
    return None


def _events(log: str) -> Iterator[dict[str, Any]]:
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # a traceback, or a line that is being written
            continue
        if isinstance(event, dict):
            yield event
