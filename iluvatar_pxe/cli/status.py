"""``iluvatar-pxe status``: on one screen, what runs, what boots, and what needs its owner."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import typer

from iluvatar_pxe.admin.asset_words import change_words, is_stuck
from iluvatar_pxe.admin.data import Data, in_order
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.requests.assets import AssetsStatus
from iluvatar_pxe.admin.requests.health import OK, ShowHealth
from iluvatar_pxe.boot.plan import Hold, RunScript
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.cli.tables import fields, say, say_json, terminal_width
from iluvatar_pxe.errors import ControlError, InventoryError
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.layers.arda.install import held_words
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.spans import ago, span

_BOOTING = {Phase.BOOTING, Phase.INSTALLING}
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
    return _daemon(settings) | _machines(settings) | {"fleet": settings.fleet_place}


def _daemon(settings: Settings) -> Data:
    try:
        parts = ask_running(settings, ShowHealth())["parts"]
        files = ask_running(settings, AssetsStatus())["files"]
    except ControlError as error:
        return {"running": False, "problems": {"daemon": str(error)}, "missing": []}
    problems = {part: state for part, state in parts.items() if state != OK}
    return {"running": True, "problems": problems, "missing": [row for row in files if is_stuck(row)]}


def _machines(settings: Settings) -> Data:
    try:
        state = State.read_recorded(settings)
    except InventoryError:  # no daemon has run here yet
        return {"machines": {}, "booting": [], "waiting": [], "enrolment_seconds": 0}
    machines = [one for one in state.snapshot.by_id.values() if not one.transient]
    described = in_order((describe(one, state.fleet) for one in machines), every=True)
    waiting = {title_of(one, state.fleet): why for one in machines if (why := _why_it_waits(one, state))}
    return {
        "machines": dict(Counter(one["phase"] for one in described)),
        "booting": [one for one in described if one["phase"] in _BOOTING],
        "waiting": [{"machine": title, "why": why} for title, why in sorted(waiting.items())],
        "enrolment_seconds": round(state.window_seconds),
    }


def _why_it_waits(machine: Machine, state: State) -> str:
    """Return why a machine's next boot waits for its owner, or nothing."""
    *_, last = state.next_boot(asking(sighting_of(machine)))
    plan = last.decision.plan
    if isinstance(plan, Hold):
        return plan.why
    return held_words(machine, state.fleet) if isinstance(plan, RunScript) and plan.chain == "talos" else ""


def _lines(page: Data, now: datetime, width: int | None) -> Iterator[str]:
    yield from fields(
        {
            "daemon": "runs" if page["running"] else "does not run",
            "fleet": page["fleet"],
            "machines": _counts(page["machines"]),
            "enrolment": f"open for {span(page['enrolment_seconds'])} more"
            if page["enrolment_seconds"]
            else "closed; to open it: iluvatar-pxe enrol open 30m",
        },
        width,
    )
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
