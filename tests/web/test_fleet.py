"""The page *Fleet* as HTML."""

from typing import Any

from support.hostile import QUOTES, SCRIPT
from support.html import Page

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.web.render import Renderer

COMMIT: Data = {
    "commit": "a" * 40,
    "author": f"Anna {SCRIPT}",
    "committed_at": "2026-11-22T17:00:00.000Z",
    "subject": f"A worker {SCRIPT}",
}
PAST: Data = {
    "number": 7,
    **COMMIT,
    "at": "2026-11-22T17:00:01.000Z",
    "outcome": "refused",
    "problem": f"fleet.yaml:3: {SCRIPT}",
    "rewritten": True,
    "changed": 2,
    "changes": [{"machine": QUOTES, "change": f"boots {SCRIPT}"}],
}


def page(**values: Any) -> Page:
    shown: Data = {
        "place": "branch main of /fleet.git",
        "problem": None,
        "in_force": COMMIT,
        "refused": None,
        "commits": [PAST],
        "earlier": None,
    }
    return Page(Renderer().text("fleet.html", **shown | values))


def test_what_git_says_stays_text() -> None:
    shown = page(place=SCRIPT, refused=SCRIPT, problem=SCRIPT, in_force=COMMIT | {"committed_at": QUOTES})
    assert not any(shown.texts("script"))
    assert not [one for one in shown.elements if any(name.startswith("on") for name in one.attributes)]
    assert shown.texts("h3") == [f"aaaaaaaaaaaa A worker {SCRIPT}"]
    assert shown.texts("p", role="alert") == [SCRIPT, f"Refused: {SCRIPT}"]
    assert f"fleet.yaml:3: {SCRIPT}" in shown.texts("p")
    assert QUOTES in shown.texts("dt")


def test_changes_are_told_by_machine_and_all_of_them_are_a_link_away() -> None:
    shown = page()
    assert shown.texts("summary") == ["2 changes"]
    (link,) = (one for one in shown.all("a") if one.text == "All 2 changes")
    assert link.attributes["href"] == "/fleet?before=8&limit=1&changes=1000"


def test_earlier_commits_are_a_link_away() -> None:
    assert not page().all("a", rel="next")
    assert page(earlier=7).all("a", rel="next")[0].attributes["href"] == "/fleet?before=7"


def test_a_directory_has_no_commits() -> None:
    shown = page(in_force=None, commits=[])
    assert "none: a directory decides" in shown.texts("dd")
    assert not shown.all("article")
