"""``iluvatar-pxe check``: the health of each component of the daemon."""

import typer

from iluvatar_pxe.admin.health import ShowHealth
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json


def check(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the health of each component; exits 1 when one is unhealthy or no daemon runs."""
    report = ask_running(settings_of_daemon(config), ShowHealth())
    if as_json:
        say_json(report)
    else:
        say(f"{part + ':':<10} {state}" for part, state in report["parts"].items())
    raise typer.Exit(0 if report["ready"] else 1)
