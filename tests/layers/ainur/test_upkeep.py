"""What comes first of upgrades, renewals and restarts, and what keeps each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iluvatar_pxe.layers.ainur.node_tasks import Facts, Kind, State, Task, Told
from iluvatar_pxe.layers.ainur.turns import Drain, Free, Step, Stop, Tell, TurnNode, Wait
from iluvatar_pxe.layers.ainur.upgrade import Plan
from iluvatar_pxe.layers.ainur.upkeep import Hindrances, next_step, unwell, words
from iluvatar_pxe.values import replace

OLD, NEW = "v1.36.3+k3s1", "v1.37.0+k3s1"
REBOOT = Task("reboot/boot-1", Kind.REBOOT, {"boot": "boot-1"})
NOW = datetime(2026, 12, 1, tzinfo=UTC)
SOON, LATE = NOW + timedelta(days=30), NOW + timedelta(days=300)


def node(name: str = "a", **more: Any) -> TurnNode:
    given = {"is_server": True, "is_ready": True, "version": OLD, "boot": "boot-1"}
    return TurnNode(name=name, **{**given, **more})


def facts(ends: datetime = LATE, task: Told | None = None) -> Facts:
    return Facts(version=OLD, boot="boot-1", ends=ends, task=task)


def step(
    *nodes: TurnNode,
    ends: datetime = LATE,
    plan: Plan | None = None,
    busy: str = "",
    unwell: str = "",
    task: Told | None = None,
) -> Step | None:
    known = {one.name: facts(ends, task) for one in nodes}
    hindrances = Hindrances(busy=busy, unwell=unwell)
    return next_step(nodes, plan, known, hindrances, NOW + timedelta(days=3000), NOW)


def test_a_node_that_needs_it_restarts_once_it_is_drained_and_is_freed_when_it_is_back() -> None:
    assert step(node(reboot_required=True)) == Drain("a", REBOOT, "reboot/boot-1")
    begun = node(note="reboot/boot-1", is_drained=True, reboot_required=True)
    assert step(begun, unwell="a is not ready") == Tell("a", REBOOT)
    back = node(note="reboot/boot-1", boot="boot-2")
    assert step(node("a", note="reboot/boot-1", boot="boot-2", is_ready=False)) == Wait("a restarts", "a")
    assert step(back) == Free("a")
    assert step(node(boot="boot-2")) is None


def test_a_kernel_update_that_restarts_a_machine_twice_costs_no_second_turn() -> None:
    """Ubuntu 26.04 boots twice after a kernel update: the Node is free again after the second boot, whichever boot it is."""
    between = node(note="reboot/boot-1", boot="boot-2", is_ready=False)
    assert step(between) == Wait("a restarts", "a")
    assert step(node(note="reboot/boot-1", boot="boot-3")) == Free("a")


def test_one_that_does_not_come_back_stops_everything() -> None:
    stuck = node(note="reboot/boot-1", boot="boot-2", is_ready=False, is_late=True)
    assert isinstance(step(stuck, node("b", reboot_required=True)), Stop)


def test_one_whose_root_is_in_memory_does_not_restart_for_updates() -> None:
    assert step(node(reboot_required=True, in_memory=True)) is None


@pytest.mark.parametrize("hindrance", [{"busy": "b leaves first"}, {"unwell": "b is not ready"}])
def test_nothing_restarts_beside_something_else(hindrance: dict[str, Any]) -> None:
    (why,) = hindrance.values()
    assert step(node(reboot_required=True), **hindrance) == Wait(why)


def test_certificates_are_renewed_by_a_restart_of_k3s_once_a_day() -> None:
    (found,) = [step(node(), ends=SOON)]
    assert isinstance(found, Tell)
    assert (found.task.id, found.task.kind) == ("renewal/2026-12-31/2026-12-01", Kind.RESTART)
    tried = Told(found.task.id, State.DONE, at=NOW)
    assert isinstance(step(node(), ends=SOON, task=tried), Wait)
    assert isinstance(step(node(), ends=SOON, task=replace(tried, at=NOW - timedelta(hours=1))), Stop)
    assert step(node(), ends=LATE, task=tried) is None


def test_certificates_are_not_renewed_beside_something_else() -> None:
    assert step(node(), ends=SOON, busy="b joins first") == Wait(
        "a: its certificates end on 2026-12-31, and k3s renews them when it starts; b joins first", "a"
    )


def test_an_upgrade_comes_first_and_what_was_begun_before_it() -> None:
    plan = Plan(NEW, 1)
    found = step(node(reboot_required=True), ends=SOON, plan=plan)
    assert isinstance(found, Drain)
    assert found.note == plan.id
    begun = node("b", note="reboot/boot-1", is_drained=True)
    assert step(node(), begun, plan=plan) == Tell("b", REBOOT)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"nodes": [node("a"), node("b", is_ready=False)]}, "b is not ready"),
        ({"members": ["a", "x"]}, "etcd has a member of x"),
        ({"learners": ["a"]}, "etcd's member of a does not vote yet"),
        ({"volumes": ["pvc-1"]}, "Longhorn's volumes pvc-1 lack"),
    ],
)
def test_what_a_cluster_waits_for_before_a_node_goes_down(more: dict[str, Any], why: str) -> None:
    asked: dict[str, Any] = {"nodes": [node("a")], "members": ["a"], "learners": [], "volumes": [], **more}
    found = unwell(**asked)
    assert found.startswith(why)
    assert bool(found) is bool(why)


def test_words() -> None:
    assert words(Tell("a", REBOOT)) == "a: reboot, for reboot/boot-1"
    assert words(Free("a")) == "a: it may run pods again"
