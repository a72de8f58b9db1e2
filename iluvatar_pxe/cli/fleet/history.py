"""``iluvatar-pxe fleet history``: which commits were applied or refused, and what they changed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.fleet import MOST_COMMITS, ShowCommits
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.spans import ago


def history(
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST_COMMITS, help="How many commits.")] = 20,
    before: Annotated[int | None, typer.Option(min=1, help="Only those before this number.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the commit in force, and which were applied or refused before, with what each changed for which machine."""
    answer = ask_running(settings_of_daemon(config), ShowCommits(limit=limit, before=before))
    if as_json:
        say_json(answer)
    else:
        say(history_lines(answer, datetime.now(UTC)))


def history_lines(answer: Data, now: datetime) -> Iterator[str]:
    """Lay out commits, the latest first."""
    found = answer["in_force"]
    yield f"in force: {found['commit'][:12]} {found['subject']}" if found else "No commit is in force."
    if answer["refused"]:
        yield f"refused: {answer['refused']}"
    for one in answer["commits"]:
        yield ""
        yield from _commit_lines(one, now)
    if answer["earlier"]:
        yield ""
        yield f"Earlier ones: --before {answer['earlier']}"


def _commit_lines(one: Data, now: datetime) -> Iterator[str]:
    yield f"{one['commit'][:12]} {one['outcome']} {ago(datetime.fromisoformat(one['at']), now)}: {one['subject']}"
    yield f"  by {one['author']}, {one['committed_at']}"
    if one["rewritten"]:
        yield "  it does not follow the commit before: the branch was rewritten"
    if one["problem"]:
        yield f"  {one['problem']}"
    for change in one["changes"]:
        yield f"  {change['machine']}: {change['change']}"
    if more := one["changed"] - len(one["changes"]):
        yield f"  and {more} more changes"
