"""Which machine gets its change next, as tables: every case of a rollout without any machine."""

from typing import Any

import pytest

from iluvatar_pxe.layers.arda.absence import absences
from iluvatar_pxe.layers.arda.change_tables import ChangeKind
from iluvatar_pxe.layers.arda.restarts import (
    Apply,
    Await,
    Claim,
    Converged,
    Free,
    Prepare,
    Restart,
    Standing,
    Standings,
    Step,
    next_step,
)
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.values import replace

LIVE, RESTART = ChangeKind.LIVE, ChangeKind.RESTART


def node(
    name: str, note: str = "", *, boot: str = "b1", is_ready: bool = True, is_cordoned: bool = False
) -> Node:
    return Node(
        name=name, is_ready=is_ready, is_unschedulable=is_cordoned or bool(note), boot=boot, note=note
    )


def plane(name: str = "one", **values: Any) -> Standing:
    return replace(Standing(name=name, is_control_plane=True, mark="m2"), **values)


def worker(name: str, **values: Any) -> Standing:
    return replace(plane(name, **values), is_control_plane=False)


def step(*machines: Standing, turn: str | None = "", troubles: tuple[str, ...] = (), **nodes: Node) -> Step:
    known = {one.name: node(one.name) for one in machines} | nodes
    stood = [replace(one, node=known[one.name]) for one in machines]
    away = absences({}, known.values(), ())
    return next_step(Standings(machines=stood, claimant=turn, troubles=troubles, nodes=known, away=away))


def words(found: Step) -> str:
    assert isinstance(found, Await)
    return found.why


def test_nothing_to_do() -> None:
    assert step(plane(), worker("two")) == Converged()


def test_what_is_live_comes_first_also_while_another_restarts_or_etcd_is_not_well() -> None:
    machines = (worker("one", kind=LIVE), plane("two", kind=RESTART))
    assert step(*machines, turn="two", troubles=("etcd",)) == Apply("one")
    assert step(*machines, turn=None) == Apply("one")
    assert step(plane(kind=LIVE), worker("two"), turn=None) == Apply("one"), "no other control plane is there"
    assert step(plane(kind=LIVE, is_ready=False), plane("two"), turn="two") == Apply("one"), "it may mend it"


def test_control_planes_are_changed_in_turn_also_without_a_restart() -> None:
    first, second = plane(kind=LIVE), plane("two", kind=LIVE)
    assert step(second, first) == Claim("one")
    assert step(first, second, turn="one", troubles=("etcd",)) == Apply("one")
    assert step(plane(), second, turn="one") == Free("one")
    assert words(step(plane(is_ready=False), second, turn="one")).startswith("one: is not ready")
    assert words(step(first, second, turn=None, troubles=("no answer",))) == "no answer"
    assert step(plane(kind=RESTART), second) == Claim("two")
    leaves = node("three", "removal")
    assert words(step(first, second, plane("three"), three=leaves)) == (
        "one, two: to be changed, but three leaves the cluster"
    )
    assert step(first, second, worker("three"), three=leaves) == Claim("one")
    other = words(step(replace(first, is_ours=False), second, turn="one"))
    assert other == "one: is being changed; the daemon that it reports to does that"
    assert step(first, second, one=node("one", "restart/b1/m1")) == Claim("one")


def test_a_control_plane_that_is_not_ready_with_its_change_keeps_it_from_the_others_not_from_itself() -> None:
    failed, next_one = plane(is_ready=False), plane("two", kind=LIVE)
    assert words(step(failed, next_one)) == "one: has its change and is not ready; two waits for it"
    assert step(failed, replace(next_one, is_ready=False)) == Apply("two")
    assert step(failed, worker("two", kind=LIVE)) == Apply("two")
    assert step(replace(failed, held="is off"), next_one) == Claim("two")


def test_control_planes_restart_first_and_the_one_that_leads_etcd_is_their_last() -> None:
    machines = [
        plane("a", kind=RESTART, leads_etcd=True),
        worker("b", kind=RESTART),
        plane("c", kind=RESTART),
    ]
    assert step(*machines) == Claim("c")
    assert step(*machines[:2]) == Claim("a")
    assert step(machines[1]) == Claim("b")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            {"troubles": ("two does not vote yet",)},
            "one: to be restarted for changes, but two does not vote yet",
        ),
        ({"three": node("three", is_ready=False)}, "one: to be restarted for changes, but three is down"),
        (
            {"three": node("three", "removal")},
            "one: to be restarted for changes, but three leaves the cluster",
        ),
        ({"turn": None, "troubles": ("no answer",)}, "no answer"),
    ],
)
def test_nobody_restarts_while_another_one_is_missing(more: dict[str, Any], why: str) -> None:
    assert words(step(plane(kind=RESTART), **more)).startswith(why)


def test_a_turn_goes_from_the_claim_to_the_next_machine() -> None:
    machine, other = plane(kind=RESTART), worker("two")
    assert step(machine, other, turn="one") == Prepare("one", "restart/b1/m2")
    noted = node("one", "restart/b1/m2")
    assert step(machine, other, turn="one", one=noted) == Restart("one", drains=True)
    assert step(machine, turn="one", one=noted) == Restart("one", drains=False)
    assert step(machine, other, turn="one", one=noted, two=node("two", is_cordoned=True)) == Restart(
        "one", drains=False
    )
    assert words(step(plane(is_ready=False, held="off"), other, turn="one", one=noted)).startswith(
        "one: is not ready"
    )
    assert words(step(plane(), other, turn="one", one=noted, troubles=("one is behind",))).endswith(
        "one is behind"
    )
    assert step(plane(), other, turn="one", one=replace(noted, boot="b2")) == Free("one")


def test_a_turn_stops_where_another_machine_goes_before_the_restart() -> None:
    machine, gone = plane(kind=RESTART), node("two", "its file has left the fleet")
    for noted in (node("one"), node("one", "restart/b1/m2")):
        found = step(machine, worker("two"), turn="one", one=noted, two=gone)
        assert words(found) == "one: restarts for changes, but two leaves the cluster"
    assert step(plane(), worker("two"), turn="one", two=gone) == Free("one")


def test_another_commit_in_between_is_prepared_anew() -> None:
    assert step(plane(kind=RESTART), turn="one", one=node("one", "restart/b1/m1")) == Prepare(
        "one", "restart/b1/m2"
    )


def test_a_machine_that_restarted_and_did_not_take_its_change_is_not_restarted_again() -> None:
    found = step(plane(kind=RESTART), turn="one", one=node("one", "restart/b1/m2", boot="b2"))
    assert "has restarted, and does not run with its change" in words(found)
    assert isinstance(found, Await)
    assert found.is_stuck
    assert step(
        plane(kind=RESTART, mark="m3"), turn="one", one=node("one", "restart/b1/m2", boot="b2")
    ) == Prepare("one", "restart/b2/m3")


def test_a_turn_ends_with_a_machine_that_is_no_more_or_refuses_its_change() -> None:
    assert step(plane(), turn="gone") == Free()
    assert words(step(plane(), turn="gone", gone=node("gone"))).endswith("another daemon does that")
    assert step(plane(kind=RESTART, held="refuses it"), turn="one", one=node("one", "restart/b1/m2")) == Free(
        "one"
    )


def test_a_machine_of_another_daemon_is_left_to_it() -> None:
    other = plane(kind=RESTART, is_ours=False)
    assert "by the daemon that it reports to" in words(step(other))
    assert "the daemon that it reports to does that" in words(step(other, turn="one"))
    assert step(plane(kind=LIVE, is_ours=False)) == Converged()


def test_a_node_that_was_left_cordoned_is_free_again() -> None:
    assert step(plane(), one=node("one", "restart/b1/m2")) == Free("one")
    assert step(plane(kind=RESTART), one=node("one", "restart/b1/m2")) == Claim("one")
    assert step(plane(), one=node("one", "removal")) == Converged()
