"""``iluvatar-pxe notifications``: whether those whom the fleet names can be told what happens."""

from collections.abc import Iterator
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.notifications import SendTest
from iluvatar_pxe.admin.requests.request import CommandResult, Request, request_of
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.errors import UsageError

app = new_group(help="Test how you are told what happens.")


@app.callback()
def group() -> None:
    """Test how you are told what happens."""


@app.command("test")
def send_test(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of notifications in fleet.yaml. Default: all.")
    ] = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a message to one of those whom fleet.yaml names, or to all; exits 1 when one is not delivered."""
    answer = ask_running(settings_of_daemon(config), _request(name))
    if as_json:
        say_json(answer)
    else:
        say(_lines(answer))
    raise typer.Exit(0 if all(one["delivered"] for one in answer["recipients"]) else 1)


def _request(name: str | None) -> Request:
    try:
        return request_of(SendTest, {"name": name})
    except ValueError as error:
        raise UsageError(str(error)) from error


def _lines(answer: CommandResult) -> Iterator[str]:
    yield from (f"{one['name']}: {one['fault'] or 'delivered'}" for one in answer["recipients"])
