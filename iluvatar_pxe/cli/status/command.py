"""``iluvatar-pxe status``: on one screen, what runs, what boots, and what needs its owner."""

from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from iluvatar_pxe.admin.asset_words import change_words
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.status import ShowStatus
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.quickly import quickly
from iluvatar_pxe.cli.remote import chosen
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import fields, say, say_json, terminal_width
from iluvatar_pxe.errors import ControlError, UntoldError
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.spans import ago, span

_MOST = 10
"""Machines listed below a heading."""


def status(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show what runs, what boots, and what needs you; exits 1 if the daemon does not run or has a problem."""
    settings = settings_of_daemon(config)
    page = _page(settings)
    if as_json:
        say_json(page)
    else:
        say(_lines(page, datetime.now(UTC), terminal_width()))
    raise typer.Exit(0 if page["running"] and not page["problems"] else 1)


def _page(settings: Settings) -> Data:
    try:
        return ask_running(settings, ShowStatus())
    except (ControlError, UntoldError) as error:
        if chosen():
            raise
        problem = str(error)
    with quickly():
        from iluvatar_pxe.cli.status.alone import page_alone  # noqa: PLC0415 - imports nearly the whole daemon

    return page_alone(settings, problem)


def _lines(page: Data, now: datetime, width: int | None) -> Iterator[str]:
    head = {"daemon": "runs" if page["running"] else "does not run", "fleet": page["fleet"]}
    if page["running"] or "inventory" not in page["problems"]:
        head |= {"machines": _counts(page["machines"]), "enrolment": _window(page["enrolment_seconds"])}
    yield from fields(head, width)
    booting = {
        one["name"]
        or one["macs"][0]: f"{one['reached']}, {ago(datetime.fromisoformat(one['last_seen']), now)}"
        for one in page["booting"]
    }
    waiting = {one["machine"]: one["why"] for one in page["waiting"]}
    needs = page["problems"] | _missing(page["missing"]) | waiting
    yield from _section("Booting", booting, width)
    yield from _section("Needs you", needs, width)
    if page["running"] and not needs:
        yield from ("", "Nothing needs you.")


def _missing(rows: list[Data]) -> dict[str, str]:
    """Return the line for wanted boot files that do not come by themselves, if there are any."""
    if not rows:
        return {}
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    return {
        "boot files": f"{change_words(rows[0])}{more}; to bring what is missing: iluvatar-pxe assets status"
    }


def _window(seconds: int) -> str:
    return f"open for {span(seconds)} more" if seconds else "closed; to open it: iluvatar-pxe enrol open 30m"


def _counts(phases: dict[str, int]) -> str:
    counts = ", ".join(f"{count} {phase}" for phase, count in phases.items())
    return f"{sum(phases.values())} ({counts})" if phases else "none yet; boot one from the network"


def _section(heading: str, lines: dict[str, str], width: int | None) -> Iterator[str]:
    if lines:
        yield ""
        yield f"{heading}:"
        yield from fields(dict(list(lines.items())[:_MOST]), width)
        if len(lines) > _MOST:
            yield f"  and {len(lines) - _MOST} more: iluvatar-pxe machines list"
