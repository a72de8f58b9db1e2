"""From what a Talos machine reports to how far it has come, and what is wrong. Pure."""

import json
import re
from collections.abc import Callable

from msgspec import Struct

from iluvatar_pxe.layers.arda.api.model import MachineStatus, UnattendedInstall
from iluvatar_pxe.layers.arda.events import (
    Body,
    ConfigurationFault,
    Event,
    Restart,
    Sequence,
)
from iluvatar_pxe.layers.arda.events import Stage as TalosStage
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.report import LONGEST


class Started(Struct, frozen=True):
    """Talos begins; ``start`` is the id of that event, the same one however often it is sent."""

    start: str


class Reached(Struct, frozen=True):
    """It has come to a stage; ``words`` say how, or are empty."""

    stage: Stage
    words: str = ""


class Fault(Struct, frozen=True):
    """Something is wrong, in the machine's own words."""

    words: str


class Restarts(Struct, frozen=True):
    """It restarts, or is switched off, or resets itself."""

    words: str


Found = Started | Reached | Fault | Restarts


def of_event(event: Event, *, writes: bool) -> tuple[bool, tuple[Found, ...]]:
    """Return whether Talos 1.13 writes itself on a disk from now on, and what an event comes to.

    ``writes``: it did before. A restart without an error is all that it tells of its success; 1.14 has no such stage, and
    tells in its kernel log.
    """
    body = event.body
    if isinstance(body, TalosStage):
        return _of_stage(body, writes=writes)
    if isinstance(body, Restart):
        return False, (*_success(writes=writes), Restarts(body.how))
    if isinstance(body, Sequence) and (body.name, body.action) == ("initialize", "start") and event.id:
        return False, (Started(event.id),)
    fault = _fault(body)
    return (False, (Fault(fault),)) if fault else (writes, ())


def of_line(message: str) -> tuple[Found, ...]:
    """Return what a line of a kernel log comes to: only Talos' own lines count, which begin with ``[talos]``."""
    own = _OWN.match(message)
    if not own:
        return ()
    text, details = _parted(own["text"].rstrip())
    if text == "controller failed" and details.get("controller") != _INSTALLER:
        return ()  # controllers fail while they wait for each other, and go on
    for pattern, found in _LINES:
        if pattern.search(text):
            return (found(text, details),)
    return ()


def of_status(
    status: MachineStatus | None, install: UnattendedInstall | None, *, is_on_disk: bool
) -> tuple[Found, ...]:
    """Return what a machine's resources come to: of what 1.14 logs nowhere, such as that no disk matched.

    1.13 tells only once that it is installed, and that may be lost; later, it boots with a system disk (``is_on_disk``).
    """
    found: list[Found] = []
    if is_on_disk and install is None and status and status.stage in {"booting", "running"}:
        found.append(Reached(Stage.INSTALLED))
    if install and install.phase == "installing":
        found.append(Reached(Stage.INSTALLING, install.image[:LONGEST]))
    if install and install.phase in {"installed", "waiting-for-reboot"}:
        found.append(Reached(Stage.INSTALLED))
    if install and install.error:
        found.append(Fault(_bounded(f"install: {install.error}")))
    if status and status.stage == "running":
        found.append(_running(status))
    return tuple(found)


def _of_stage(told: TalosStage, *, writes: bool) -> tuple[bool, tuple[Found, ...]]:
    if told.stage == "installing":
        return True, (Reached(Stage.INSTALLING),)
    if told.stage == "running":
        return writes, (_running(told),)
    if told.stage in _ENDS:
        success = _success(writes=writes) if told.stage == "rebooting" else ()
        return False, (*success, Restarts(told.stage))
    return writes, ()


_ENDS = frozenset({"rebooting", "shutting down", "resetting", "upgrading"})


def _running(told: MachineStatus | TalosStage) -> Reached:
    if told.is_ready:
        return Reached(Stage.JOINED)
    waits = "; ".join(f"{one.name}: {one.reason}" for one in told.unmet)
    return Reached(Stage.RUNNING, _bounded(waits and f"not ready: {waits}"))


def _success(*, writes: bool) -> tuple[Found, ...]:
    return (Reached(Stage.INSTALLED, "it restarts after the install"),) if writes else ()


def _fault(body: Body) -> str:
    """Return what is wrong; nothing where a sequence was locked or cancelled, which is harmless."""
    if isinstance(body, ConfigurationFault):
        return _bounded(f"configuration: {body.error}")
    if isinstance(body, Sequence) and body.is_fatal:
        return _bounded(f"{body.name}: {body.error or 'failed'}")
    return ""


def _bounded(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def _parted(text: str) -> tuple[str, dict[str, str]]:
    """Return a line's text, and the values that Talos' controllers write behind it as JSON."""
    words, brace, values = text.partition(" {")
    try:
        found = json.loads(f"{{{values}") if brace else {}
    except (ValueError, RecursionError):
        return text, {}
    return words, {key: value for key, value in found.items() if isinstance(value, str)}


def _installing(text: str, details: dict[str, str]) -> Found:
    told = (details.get("image", ""), details.get("disk", "") or text.partition(" to disk ")[2])
    return Reached(Stage.INSTALLING, _bounded(" on ".join(filter(None, told))))


def _wrong(text: str, details: dict[str, str]) -> Found:
    return Fault(_bounded(": ".join(filter(None, (text, details.get("error", ""))))))


_INSTALLER = "runtime.UnattendedInstallController"
_OWN = re.compile(r"\s*\[talos\]\s+(?P<text>[^\n]*)")
_LINES: tuple[tuple[re.Pattern[str], Callable[[str, dict[str, str]], Found]], ...] = (
    (re.compile(r"\Ainstalling Talos\b"), _installing),
    (
        re.compile(r"\A(install successful|requesting reboot after successful install)\Z"),
        lambda *_: Reached(Stage.INSTALLED),
    ),
    (re.compile(r"\Amachine is running and ready\Z"), lambda *_: Reached(Stage.JOINED)),
    (re.compile(r"\bno disk matched\b"), _wrong),
    (
        re.compile(r"\Acontroller failed\Z"),
        lambda _, details: Fault(_bounded(f"install: {details.get('error', '')}")),
    ),
    (re.compile(r"\A(task|phase) .*\bfailed\b"), _wrong),
)
