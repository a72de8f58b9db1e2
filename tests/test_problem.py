"""A part's problem is logged when it changes and when it ends."""

import pytest

from iluvatar_pxe.problem import Problem

FOUND = ["full", "full", None, None, "full", "gone", "full"]


@pytest.mark.parametrize(
    ("once", "logged"),
    [(False, ["full", "over", "full", "gone", "full"]), (True, ["full", "over", "full"])],
    ids=["each text", "the first text"],
)
def test_it_is_logged_when_it_changes(*, once: bool, logged: list[str]) -> None:
    lines: list[str] = []
    problem = Problem(lines.append, lambda: lines.append("over"), once=once)
    for text in FOUND:
        problem.set(text)
        assert problem.text == text
    assert lines == logged


def test_its_end_need_not_be_logged() -> None:
    lines: list[str] = []
    problem = Problem(lines.append)
    problem.set("full")
    problem.clear()
    problem.set("full")
    assert (lines, problem.text) == (["full", "full"], "full")
