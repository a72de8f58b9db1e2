"""``iluvatar-pxe web``: who may change something on the web page."""

import sys

import typer

from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.login.password import LONGEST, checked

app = new_group(help="Manage the password of the web page.")


@app.callback()
def web() -> None:
    """Manage the password of the web page."""


@app.command()
def password(*, config: ConfigOption = None) -> None:
    """Set the password of the web page, also in place of a lost one, and log everybody out.

    It is asked for twice, or read from standard input if that is no terminal. A daemon need not be restarted.
    """
    settings = settings_of_daemon(config)
    given = checked(_typed() if sys.stdin.isatty() else _piped())
    Logins(settings.state_directory / "web").set_password(given)
    say(["the password is set, and everybody is logged out"])


def _typed() -> str:
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt=True))


def _piped() -> str:
    """Return one line; what is longer than a password can be is not read to its end."""
    return sys.stdin.readline(4 * LONGEST).removesuffix("\n")
