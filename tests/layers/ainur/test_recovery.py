"""What brings a k3s cluster back, by what its servers say, and each step of that."""

from datetime import UTC, datetime

import pytest

from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.ainur.founding import Asks, Found, Serves, Starts
from iluvatar_pxe.layers.ainur.node_tasks import Facts, Kind, State, Told
from iluvatar_pxe.layers.ainur.recovery import (
    Act,
    Failed,
    Give,
    GiveUp,
    NewFounder,
    NoteReset,
    Nothing,
    Over,
    Plan,
    Reset,
    Restore,
    TryAgain,
    Waits,
    forget_task,
    mark_of,
    next_act,
    plan_for,
    plan_under_way,
    reset_task,
    words_of,
)
from iluvatar_pxe.layers.founding import Foreign, Unproved

API = "api.ainur.lab"
AT, EARLY, LATE = "2026-11-30T12:00:00Z", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
SILENT, STARTS, NEW, OLD = Unproved("off"), Starts("no quorum"), Asks(), Asks(has_data=True)
SERVES = Serves("uid", frozenset("ab"))


def record(**more: object) -> ClusterFile:
    told = {"layer": "ainur", "caFingerprint": ":".join(["AB"] * 32), "founder": "a", "founded": AT, **more}
    return ClusterFile.model_validate(told)


def facts(etcd: datetime | None = EARLY, task: Told | None = None) -> Facts:
    return Facts(version="v1.36.3+k3s1", boot="1", etcd=etcd, task=task)


@pytest.mark.parametrize(
    ("found", "known", "server", "plan"),
    [
        ({"a": STARTS, "b": SILENT, "c": SILENT}, {"a": facts()}, "", Reset("a", ("b", "c"), EARLY)),
        ({"a": OLD, "b": SILENT, "c": SILENT}, {}, "", Reset("a", ("b", "c"), None)),
        (
            {"a": STARTS, "b": SILENT, "c": SILENT},
            {"a": facts(), "b": facts(LATE), "c": facts(LATE)},
            "",
            Reset("a", ("b", "c"), EARLY),
        ),
        (
            dict.fromkeys("abcde", STARTS) | {"c": SILENT, "d": SILENT, "e": SILENT},
            {"a": facts(), "b": facts(LATE)},
            "",
            Reset("b", ("a", "c", "d", "e"), LATE),
        ),
        (
            {"a": STARTS, "b": STARTS, "c": NEW},
            {"a": facts(), "b": facts(LATE)},
            "a",
            Reset("a", ("b", "c"), EARLY),
        ),
    ],
)
def test_the_newest_data_counts_or_those_that_are_chosen(
    found: dict[str, Found], known: dict[str, Facts], server: str, plan: Plan
) -> None:
    assert plan_for(record(), found, known, server) == plan


@pytest.mark.parametrize(
    ("cluster", "found", "known", "server", "words"),
    [
        (None, {}, {}, "", "it has no secrets yet"),
        (record(), {"a": SERVES, "b": SILENT}, {}, "", "Kubernetes answers on a, so etcd has its quorum"),
        (record(), {"a": Foreign("strange"), "b": OLD}, {}, "", "a: strange"),
        (record(), {"a": OLD}, {}, "z", "z: is no server of this layer; it has a"),
        (
            record(),
            {"a": OLD, "b": NEW, "c": NEW},
            {},
            "b",
            "b: has no data of the cluster, as far as is known; a have",
        ),
        (
            record(),
            {"a": STARTS, "b": STARTS, "c": SILENT},
            {"a": facts(), "b": facts()},
            "",
            "a, b have their data",
        ),
        (record(), {"a": SILENT, "b": NEW}, {}, "", "no server with data is known; a: switch it on"),
        (
            record(),
            {"a": NEW, "b": STARTS},
            {"b": facts(None)},
            "",
            "it was founded on 2026-11-30T12:00:00Z, and no",
        ),
        (record(founded=None, founder=None), {"a": NEW}, {}, "", "it has no founder yet"),
        (record(founded=None), {"a": OLD, "b": NEW}, {}, "", "a has begun to found it"),
        (record(founded=None), {"a": STARTS, "b": NEW}, {}, "", "a has begun to found it"),
        (record(founded=None), {"a": NEW, "b": NEW}, {}, "", "a is on its way to found it"),
        (record(founded=None), {"a": SILENT}, {"a": facts(None)}, "", "a is on its way to found it"),
    ],
)
def test_where_nothing_is_done_the_reason_is_told(
    cluster: ClusterFile | None, found: dict[str, Found], known: dict[str, Facts], server: str, words: str
) -> None:
    plan = plan_for(cluster, found, known, server)
    assert isinstance(plan, Nothing)
    assert words_of(plan) == (plan.why,)
    assert plan.why.startswith(words)


def test_a_lost_founder_is_replaced() -> None:
    plan = plan_for(record(founded=None), {"a": SILENT, "b": NEW}, {})
    assert plan == NewFounder("a")
    assert words_of(plan)[0].startswith("another server founds the cluster than a")


def test_a_snapshot_is_restored_only_where_no_server_has_data() -> None:
    found: dict[str, Found] = {"b": NEW, "a": NEW}
    assert plan_for(record(), found, {}, snapshots=[EARLY, LATE]) == Restore("a", ("b",), LATE)
    assert plan_for(record(), found, {}, "b", snapshots=[EARLY]) == Restore("b", ("a",), EARLY)
    assert plan_for(record(), found, {"a": facts()}, snapshots=[LATE]) == Restore("a", ("b",), LATE)
    assert isinstance(plan_for(record(), {**found, "c": SILENT}, {}, snapshots=[LATE]), Nothing)
    assert plan_for(record(), {**found, "c": OLD}, {}, snapshots=[LATE]) == Reset("c", ("a", "b"), None)
    plan = Restore("a", ("b",), LATE)
    assert mark_of(plan) == "restore 2026-11-02T00:00:00Z a"
    assert words_of(plan) == (
        "a becomes the only member of etcd, with the snapshot of 2026-11-02 00:00:00 UTC; what was written later is lost",
        "b joins it",
    )


def test_a_reset_in_words() -> None:
    assert words_of(Reset("a", ("b",), EARLY)) == (
        "a becomes the only member of etcd, with its own data, which it wrote last at 2026-11-01 00:00:00 UTC; what others wrote later is lost",
        "b moves its data of etcd aside, and joins again",
    )


BEGUN, RESET = (
    record(recovery=part).recovery
    for part in ({"server": "a", "at": AT}, {"server": "a", "at": AT, "reset": AT})
)
assert BEGUN
assert RESET
RESETS, FORGETS = reset_task(BEGUN), forget_task(BEGUN, API)


def told(task: str, state: State, why: str = "") -> Facts:
    return facts(task=Told(task, state, why))


DONE, GOES = (told(RESETS.id, state) for state in (State.DONE, State.BEGUN))
JOINS = told(FORGETS.id, State.DONE)


@pytest.mark.parametrize(
    ("found", "known", "act"),
    [
        ({"a": STARTS, "b": SILENT}, {}, Give("a", RESETS)),
        ({"a": STARTS, "b": SILENT}, {"a": told("reset/before", State.DONE)}, Give("a", RESETS)),
        ({"a": STARTS, "b": SERVES}, {}, Over("it came back by itself: Kubernetes answers on b")),
        ({"a": STARTS}, {"a": GOES}, Waits("a becomes the only member of etcd", ("a",))),
        ({"a": STARTS, "b": SERVES}, {"a": GOES}, Waits("a becomes the only member of etcd", ("a",))),
        ({"a": STARTS}, {"a": DONE}, Waits("a is the only member of etcd now, and starts", ("a",))),
        ({"a": SERVES}, {"a": DONE}, NoteReset()),
        ({"a": STARTS}, {"a": told(RESETS.id, State.FAILED, "full")}, Failed("a was not reset: full")),
    ],
)
def test_one_server_is_reset_first(found: dict[str, Found], known: dict[str, Facts], act: Act) -> None:
    assert BEGUN
    assert next_act(BEGUN, found, known, frozenset(), API) == act


@pytest.mark.parametrize("known", [{}, {"a": facts()}, {"a": GOES}])
def test_a_server_that_serves_alone_was_reset_though_it_has_not_told_yet(known: dict[str, Facts]) -> None:
    assert BEGUN
    found: dict[str, Found] = {"a": SERVES, "b": SILENT, "c": SILENT}
    assert next_act(BEGUN, found, known, frozenset("a"), API) == NoteReset()
    act = next_act(BEGUN, found, known, frozenset("ab"), API)
    assert isinstance(act, Waits if known == {"a": GOES} else Over)


@pytest.mark.parametrize(
    ("members", "known", "act"),
    [
        ("", {}, "a is the only member of etcd, and does not answer"),
        ("a", {"b": facts(), "c": facts()}, Give("b", FORGETS)),
        ("a", {"b": JOINS, "c": facts()}, "b joins again"),
        ("a", {"c": facts()}, Give("c", FORGETS)),
        ("a", {"b": facts(None)}, "b, c are no member again yet: switch it on"),
        ("ab", {"b": JOINS, "c": facts()}, Give("c", FORGETS)),
        ("ab", {"b": facts()}, "c is no member again yet: switch it on"),
        ("abc", {}, Over("it has its members again: a, b, c")),
        ("a", {"b": told(FORGETS.id, State.FAILED, "full")}, Failed("b: full")),
    ],
)
def test_then_the_others_join_one_by_one(members: str, known: dict[str, Facts], act: Act | str) -> None:
    assert RESET
    found: dict[str, Found] = {"a": SERVES, "b": STARTS, "c": SILENT}
    next_one = next_act(RESET, found, known, frozenset(members), API)
    assert (
        next_one.why.startswith(act)
        if isinstance(next_one, Waits) and isinstance(act, str)
        else next_one == act
    )


def test_nobody_is_reset_once_that_is_recorded() -> None:
    assert RESET
    for members in ("", "a", "ab"):
        for known in ({}, {"a": facts()}, {"a": told("upgrade/1", State.DONE), "b": facts()}):
            act = next_act(RESET, {"a": STARTS, "b": STARTS}, known, frozenset(members), API)
            assert not isinstance(act, Give) or act.task.kind is Kind.FORGET_ETCD


def test_a_server_whose_file_is_gone_is_a_persons_to_decide() -> None:
    assert BEGUN
    assert next_act(BEGUN, {"b": SILENT}, {}, frozenset(), API) == Failed("a has left the fleet")


def test_one_that_has_failed_is_given_up_and_after_the_reset_tried_again() -> None:
    assert BEGUN
    assert RESET
    failed, both = Failed("a was not reset: no room"), frozenset("ab")
    assert plan_under_way(BEGUN, failed, both) == GiveUp("a", failed.why)
    assert plan_under_way(RESET, failed, both) == TryAgain("a", failed.why)
    assert plan_under_way(RESET, failed, frozenset("b")) == GiveUp("a", failed.why)
    found = plan_under_way(BEGUN, Waits("a starts", ("a",)), both)
    assert isinstance(found, Nothing)
    assert "being recovered already, with a" in found.why
