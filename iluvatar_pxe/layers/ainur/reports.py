"""From what cloud-init and a node's own program report to how far a machine has come, and what is wrong. Pure.

cloud-init sends an event for each of its stages and modules (``reporting`` of type ``webhook``), at every start of the
machine; the program that prepares k3s sends its own in the same form.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from iluvatar_pxe.machines.boots import Stage

OWN = "iluvatar"
"""Origin of the events of the program that prepares k3s."""
_BEGINNINGS = frozenset({"init-local", "init-network"})
"""cloud-init's first stages; before a machine has its documents, the first of them cannot be reported."""
_END = "modules-final"
_FAULTS = frozenset({"FAIL", "WARN"})


class Event(Struct, frozen=True):
    """``result`` is empty where something begins, else SUCCESS, WARN or FAIL."""

    name: str
    origin: str = ""
    result: str = ""
    description: str = ""
    begins: bool = False


class Reached(Struct, frozen=True):
    """It has come to a stage; ``words`` say how."""

    stage: Stage
    words: str


class Fault(Struct, frozen=True):
    """Something is wrong, in the machine's own words."""

    words: str


def read_event(text: str) -> Event:
    """Return an event; raises ValueError for what is none."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    match found:
        case {"name": str(name)} as values:
            return Event(
                name=name,
                origin=_text(values, "origin"),
                result=_text(values, "result"),
                description=_text(values, "description"),
                begins=values.get("event_type") == "start",
            )
    raise ValueError("is no event of cloud-init")


def of_event(event: Event) -> Reached | Fault | None:
    """Return what an event comes to; most come to nothing."""
    if event.begins:
        is_beginning = event.origin != OWN and event.name in _BEGINNINGS
        return Reached(Stage.STARTED, f"cloud-init: {event.name}") if is_beginning else None
    if event.result in _FAULTS:
        return Fault(f"{event.name}: {event.description}" if event.description else event.name)
    if event.origin != OWN and (event.name, event.result) == (_END, "SUCCESS"):
        return Reached(Stage.RUNNING, "cloud-init has ended")
    return None


def _text(values: Mapping[str, Any], key: str) -> str:
    found = values.get(key)
    return found if isinstance(found, str) else ""
