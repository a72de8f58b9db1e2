"""``iluvatar-pxe check``: the health of each component of the daemon."""

import typer

from iluvatar_pxe.admin.findings import findings
from iluvatar_pxe.admin.requests.health import ShowHealth
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.remote import chosen
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
        if not chosen():
            _tell_why_stopped(settings, as_json=as_json)
        raise
    if as_json:
        say_json(report)
    else:
        say(f"{part + ':':<10} {state}" for part, state in findings(report))
    raise typer.Exit(0 if report["ready"] else 1)


def _tell_why_stopped(settings: Settings, *, as_json: bool) -> None:
    found = dict(reasons(settings))
    if as_json:
        say_json({"ready": False, "stopped": found})
    else:
        say(f"{what + ':':<10} {why}" for what, why in found.items())
