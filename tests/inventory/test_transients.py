"""Machines that only pass by: kept for a day, and only so many."""

from datetime import timedelta
from uuid import UUID

import pytest
from inventory.samples import NOW, machine

from iluvatar_pxe.inventory import memory
from iluvatar_pxe.inventory.memory import PASSING_SECONDS, Transients
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine


def passer(number: int, **changes: object) -> Machine:
    return machine(number, reached=Stage.DISCOVER, **changes)


def ids(*numbers: int) -> list[UUID]:
    return [UUID(int=number) for number in numbers]


def test_the_least_recently_heard_of_goes_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_PASSING", 2)
    passers = Transients()
    assert [passers.note(passer(number), 0.0) for number in (1, 2, 1, 3)] == [None, None, None, UUID(int=2)]


def test_one_is_dropped_a_day_after_it_was_heard_of() -> None:
    passers = Transients()
    passers.note(passer(1), 0.0)
    passers.note(passer(2), 10.0)
    passers.note(passer(1), 20.0)
    assert passers.expired(PASSING_SECONDS + 9.0) == []
    assert passers.expired(PASSING_SECONDS + 10.0) == ids(2)
    assert passers.expired(PASSING_SECONDS + 20.0) == ids(1)
    assert passers.expired(10 * PASSING_SECONDS) == []


def test_one_that_came_further_or_is_no_more_is_not_dropped() -> None:
    passers = Transients()
    for number in (1, 2):
        passers.note(passer(number), 0.0)
    passers.note(machine(1, reached=Stage.FIRST_SCRIPT), 1.0)
    passers.leave(UUID(int=2))
    assert passers.expired(10 * PASSING_SECONDS) == []


@pytest.mark.parametrize(
    ("hours_ago", "remaining_hours"),
    [(0, 24), (6, 18), (23, 1), (24 * 90, 0), (-24 * 90, 24)],
    ids=["now", "6 hours ago", "23 hours ago", "months ago", "in the future"],
)
def test_after_a_restart_the_age_by_the_wall_clock_counts(hours_ago: int, remaining_hours: int) -> None:
    passers = Transients()
    seen = passer(1, last_seen=NOW - timedelta(hours=hours_ago))
    assert passers.resume([seen, machine(2, reached=Stage.SCRIPT)], 1000.0, NOW) == []
    assert passers.expired(1000.0 + 3600 * remaining_hours - 1) == []
    assert passers.expired(1000.0 + 3600 * remaining_hours) == ids(1)


def test_a_restart_keeps_no_more_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_PASSING", 2)
    seen = [passer(number, last_seen=NOW - timedelta(hours=number)) for number in (1, 3, 2)]
    assert Transients().resume(seen, 0.0, NOW) == ids(3)
