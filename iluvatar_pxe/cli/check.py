"""``iluvatar-pxe check``: whether each part of the daemon can do its work."""

import typer

from iluvatar_pxe.cli.control import ask_daemon
from iluvatar_pxe.cli.options import ConfigOption, JsonOption, settings_for
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.errors import ControlError
from iluvatar_pxe.servers.requests import ShowHealth


def check(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Ask the daemon how its parts are; exits 1 when one is not well, or no daemon runs."""
    settings = settings_for(config)
    report = ask_daemon(settings.control_socket, settings.state_directory, ShowHealth())
    if report is None:
        remedy = "start it: sudo systemctl start iluvatar-pxe, or iluvatar-pxe serve"
        raise ControlError(f"{settings.control_socket}: no daemon listens there; {remedy}")
    if as_json:
        say_json(report)
    else:
        say(f"{part + ':':<10} {state}" for part, state in report["parts"].items())
    raise typer.Exit(0 if report["ready"] else 1)
