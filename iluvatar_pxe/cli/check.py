"""``iluvatar-pxe check``: the health of each component of the daemon."""

from collections.abc import Iterator

import typer

from iluvatar_pxe.admin.requests.health import ShowHealth
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.boot.words import NO_PROGRAM
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.stopped import reasons
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.errors import ControlError
from iluvatar_pxe.settings.model import Settings


def check(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the health of each component, and what keeps machines from booting; exits 1 when a component is unhealthy.

    If no daemon runs, show the service's last error, and which programs have its ports.
    """
    settings = settings_of_daemon(config)
    try:
        report = ask_running(settings, ShowHealth())
    except ControlError:
        _tell_why_stopped(settings, as_json=as_json)
        raise
    if as_json:
        say_json(report)
    else:
        say(f"{part + ':':<10} {state}" for part, state in _lines(report))
    raise typer.Exit(0 if report["ready"] else 1)


def _tell_why_stopped(settings: Settings, *, as_json: bool) -> None:
    found = dict(reasons(settings))
    if as_json:
        say_json({"ready": False, "stopped": found})
    else:
        say(f"{what + ':':<10} {why}" for what, why in found.items())


def _lines(report: CommandResult) -> Iterator[tuple[str, str]]:
    """Return what is told of each part, then what machines and clusters wait for, and firmware for which there is no iPXE."""
    yield from report["parts"].items()
    told = tuple(report["parts"].values())
    for part in ("boot", "clusters", "time"):
        yield from ((part, line) for line in report[part] if not any(one.startswith(line) for one in told))
    programs: dict[str, str] = report["programs"]
    yield from (("iPXE", f"{kind}: {one}") for kind, one in programs.items() if one.startswith(NO_PROGRAM))
