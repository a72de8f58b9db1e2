"""``iluvatar-pxe enrol``: the enrolment window, in which machines that the fleet does not list may join."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.enrolment import CloseWindow, OpenWindow, ShowEnrolment
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.durations import duration
from iluvatar_pxe.cli.group import new_group
from iluvatar_pxe.cli.machines.listing import machine_lines
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json, terminal_width
from iluvatar_pxe.fleet.daemon_files import LONGEST_WINDOW
from iluvatar_pxe.spans import span

app = new_group(help="Open or close the enrolment window for new machines.")


@app.command("open")
def open_window(
    how_long: Annotated[str, typer.Argument(metavar="DURATION", help="How long: 90s, 30m, 2h, 1d.")],
    *,
    config: ConfigOption = None,
) -> None:
    """Open the enrolment window, so that new machines may join."""
    answer = change(settings_of_daemon(config), OpenWindow, seconds=duration(how_long, LONGEST_WINDOW))
    say([f"{answer['message']} for {span(answer['remaining'])}.", *_modes(answer)])


@app.command()
def close(*, config: ConfigOption = None) -> None:
    """Close the enrolment window."""
    answer = change(settings_of_daemon(config), CloseWindow)
    say([f"{answer['message']}.", *_modes(answer)])


@app.command()
def status(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show whether new machines may join, and which ones wait or were refused."""
    answer = change(settings_of_daemon(config), ShowEnrolment)
    if as_json:
        say_json(answer)
    else:
        say(_status(answer, datetime.now(UTC), terminal_width()))


def _status(answer: CommandResult, now: datetime, width: int | None) -> Iterator[str]:
    opened = (
        f"open for {span(answer['remaining'])} more, by {answer['opened_by']}" if answer["open"] else "closed"
    )
    yield f"Enrolment mode {answer['mode']}; the window is {opened}."
    yield from _modes(answer)
    for heading, key in (("Waiting to enrol", "waiting"), ("Refused at the console", "refused")):
        if answer[key]:
            yield ""
            yield f"{heading}, seen within a day:"
            yield from machine_lines(answer[key], now, width, every=True)


def _modes(answer: CommandResult) -> list[str]:
    """Explain a mode of the fleet that overrides the window."""
    meanings = {
        "join": "fleet.yaml sets mode join: new machines join at any time, but as control plane or server only while the window is open.",
        "hold": "fleet.yaml sets mode hold: new machines still wait.",
        "ignore": "fleet.yaml sets mode ignore: new machines still get no answer.",
    }
    return [meanings[answer["mode"]]] if answer["mode"] in meanings else []
