"""The list of machines: what a filter leaves, in which order, and what is told of each."""

from datetime import timedelta
from typing import Any

import pytest
from support.fleets import fleet_of
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.admin.machine_list import (
    LATELY,
    MOST_COMING_UP,
    PAGE,
    Filter,
    Listing,
    Roll,
    State,
    listing,
    state_of,
)
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.states import Directive, Intent, Phase
from iluvatar_pxe.values import replace

MAC = "52:54:00:64:00:01"
PLAIN = machine_of(MAC, reached=Stage.SCRIPT, furthest=Stage.SCRIPT)
NOW = PLAIN.last_seen + timedelta(seconds=1)
FLEET = fleet_of(("arda-01", MAC, "layer: arda\nrole: worker\n"))


def listed(*machines: Machine, wanted: Filter = Filter(), page: int = 1, after: float = 0.0) -> Listing:  # noqa: B008
    entries = Roll().entries(snapshot_of(*machines), FLEET)
    return listing(entries, wanted, page, NOW + timedelta(seconds=after), lambda _: None)


def many(count: int, **fields: Any) -> list[Machine]:
    return [replace(PLAIN, **fields, **_other(number)) for number in range(count)]


def _other(number: int) -> dict[str, Any]:
    other = machine_of(f"02:00:00:00:{number // 256:02x}:{number % 256:02x}")
    return {"id": other.id, "macs": other.macs}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, State("idle", "discovered")),
        ({"phase": Phase.BOOTING}, State("busy", "booting")),
        ({"phase": Phase.JOINED}, State("ok", "joined")),
        ({"phase": Phase.FAILED}, State("bad", "failed")),
        ({"phase": Phase.JOINED, "report": Report(faults=("etcd",))}, State("warn", "joined, with faults")),
        ({"phase": Phase.FAILED, "directive": Directive(Intent.HOLD)}, State("warn", "held")),
        ({"directive": Directive(Intent.IGNORE)}, State("warn", "ignored")),
        ({"conflict": "two", "phase": Phase.JOINED}, State("warn", "conflict")),
    ],
)
def test_the_state_is_what_a_person_should_know_first(fields: dict[str, Any], state: State) -> None:
    assert state_of(replace(PLAIN, **fields)) == state


def test_those_with_names_come_first() -> None:
    assert [one.title for one in listed(*many(2), PLAIN).rows] == [
        "arda-01",
        "02:00:00:00:00:00",
        "02:00:00:00:00:01",
    ]


@pytest.mark.parametrize(("page", "shown", "is_page"), [(0, PAGE, 1), (1, PAGE, 1), (2, 3, 2), (99, 3, 2)])
def test_the_list_is_cut_into_pages(page: int, shown: int, is_page: int) -> None:
    found = listed(*many(PAGE + 3), page=page)
    assert (len(found.rows), found.page, found.pages, found.found) == (shown, is_page, 2, PAGE + 3)


def test_one_that_only_asked_by_dhcp_leaves_the_list_after_a_while() -> None:
    passer = machine_of("02:00:00:00:00:01")
    late = LATELY.total_seconds()
    assert len(listed(passer).rows) == 1
    assert not listed(passer, after=late).rows
    assert len(listed(passer, wanted=Filter(every=True), after=late).rows) == 1
    assert (listed(passer).seen, listed(passer).passing) == (0, 1)


@pytest.mark.parametrize(
    ("stage", "after", "is_coming"),
    [
        (Stage.DISCOVER, 0.0, True),
        (Stage.INSTALLED, 0.0, True),
        (Stage.RUNNING, 0.0, False),
        (Stage.SCRIPT, LATELY.total_seconds(), False),
    ],
)
def test_a_machine_comes_up_until_it_runs_or_falls_silent(
    stage: Stage, after: float, *, is_coming: bool
) -> None:
    assert bool(listed(replace(PLAIN, reached=stage), after=after).coming_up) is is_coming


def test_of_many_that_come_up_the_latest_are_shown() -> None:
    early, late = many(MOST_COMING_UP + 5), replace(PLAIN, last_seen=NOW)
    found = listed(*early, late)
    assert len(found.coming_up) == MOST_COMING_UP
    assert found.coming_up[0].title == "arda-01"


def test_a_roll_is_kept_until_something_changes() -> None:
    roll, snapshot = Roll(), snapshot_of(PLAIN)
    kept = roll.entries(snapshot, FLEET)
    assert roll.entries(snapshot, FLEET) is kept
    assert roll.entries(snapshot.with_machine(replace(PLAIN, reached=Stage.KERNEL)), FLEET) != kept
    assert roll.entries(snapshot, fleet_of())[0].name is None


def test_a_roll_looks_only_at_machines_that_changed() -> None:
    roll, others = Roll(), many(5)
    before = roll.entries(snapshot_of(PLAIN, *others), FLEET)
    changed = replace(PLAIN, reached=Stage.KERNEL)
    after = roll.entries(snapshot_of(changed, *others), FLEET)
    assert [one.machine for one in after if one not in before] == [changed]
    assert sum(any(one is old for old in before) for one in after) == len(others)
