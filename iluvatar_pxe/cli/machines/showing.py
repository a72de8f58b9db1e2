"""``iluvatar-pxe machines show``: everything about one machine."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.machines import MOST_BOOTS, ShowMachine
from iluvatar_pxe.cli.daemon import answer_or_none, checked
from iluvatar_pxe.cli.machines.options import Name
from iluvatar_pxe.cli.machines.page import page_lines
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.quickly import quickly
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json, terminal_width
from iluvatar_pxe.settings.model import Settings


def show(
    name: Name,
    *,
    boots: Annotated[int, typer.Option(min=0, help="Number of boots to show.")] = 3,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show everything known about a machine, its last boots, and what it boots next and why."""
    request = checked(ShowMachine, machine=name, boots=min(boots, MOST_BOOTS))
    page = _page(settings_of_daemon(config), request)
    if as_json:
        say_json(page)
    else:
        say(page_lines(page, datetime.now(UTC), terminal_width()))


def _page(settings: Settings, request: ShowMachine) -> Data:
    answer = answer_or_none(settings, request)
    if answer is None:
        with quickly():
            from iluvatar_pxe.cli.machines.recorded import recorded_machine  # noqa: PLC0415 - opens the database

        return recorded_machine(settings, request)
    return answer
