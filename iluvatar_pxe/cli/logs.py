"""``iluvatar-pxe logs``: the service's journal as people read it, of one machine where one is named."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import ControlError
from iluvatar_pxe.settings.model import Settings

_UNIT = "iluvatar-pxe"
_HEAD = ("timestamp", "level", "event")


def logs(
    machine: Annotated[
        str | None,
        typer.Argument(metavar="[MACHINE]", help="Only lines about this machine: a name, a MAC or an id."),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="Lines of the journal to look at.")
    ] = 1000,
    config: ConfigOption = None,
) -> None:
    """Show the service's log, also of one machine. A daemon that runs in a terminal logs there."""
    settings = settings_of_daemon(config)
    wanted = _words_of(machine, settings) if machine else frozenset()
    command = ["journalctl", "--unit", _UNIT, "--output", "cat", "--no-pager", f"--lines={lines}"]
    try:
        journal = subprocess.Popen(  # noqa: S603 - an argument list made here
            [*command, *(["--follow"] if follow else [])], stdout=subprocess.PIPE, text=True, errors="replace"
        )
    except OSError as error:
        raise ControlError(
            f"journalctl: {error.strerror}; the daemon's log is where it was started"
        ) from error
    with journal:
        found = False
        for line in readable(journal.stdout or (), wanted):
            found = True
            say([line])
    if journal.returncode:
        raise typer.Exit(1)
    if not found:
        say(
            [
                f"The journal of the unit {_UNIT} has no such lines; a daemon that runs in a terminal logs there."
            ]
        )


def _words_of(text: str, settings: Settings) -> frozenset[str]:
    """Return what log lines call a machine."""
    from iluvatar_pxe.cli.machines.recorded import words_of  # noqa: PLC0415 - opens the database

    return words_of(text, settings)


def readable(lines: Iterable[str], wanted: frozenset[str]) -> Iterator[str]:
    """Yield log lines as on a terminal; with ``wanted`` words only those that have one of them as a value."""
    for line in lines:
        event = _event(line)
        if event is None and not wanted:
            yield line.rstrip("\n")
        elif event is not None and (not wanted or wanted & _values(event)):
            yield _text(event)


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:  # systemd's own lines
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _values(event: dict[str, Any]) -> frozenset[str]:
    found = [one for value in event.values() for one in (value if isinstance(value, list) else [value])]
    return frozenset(str(value) for value in found)


def _text(event: dict[str, Any]) -> str:
    rest = " ".join(f"{key}={_shown(value)}" for key, value in event.items() if key not in _HEAD)
    moment = str(event.get("timestamp", ""))[:19].replace("T", " ")
    return f"{moment} {event.get('level', ''):<7} {event['event']:<20} {rest}".rstrip()


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
