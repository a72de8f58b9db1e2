"""What is done next for a cluster: one machine founds it, whatever the others say, and etcd's members prove it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.arda.api.model import EtcdMember
from iluvatar_pxe.layers.arda.founding import Answered, Found, InMaintenance, next_step
from iluvatar_pxe.layers.founding import (
    Foreign,
    FoundAgain,
    Founded,
    NameFounder,
    NoteFounded,
    Refuse,
    Step,
    TellFounder,
    Unproved,
    Wait,
)

A, B, C = NAMES = ("arda-01", "arda-02", "arda-03")
READY = Answered(etcd="Preparing")
OFF = Unproved("Talos cannot be reached")
HELD = InMaintenance(
    "10.0.0.5: waits in maintenance mode: /dev/sda is not empty: name it by 'disk' in its file"
)
ELSEWHERE = Foreign("its certificate is not of this cluster's CA")
FOUNDED = "2026-12-01T12:00:00Z"
IDS = {name: number for number, name in enumerate(NAMES, 1)}


def record(founder: str | None = None, founded: str | None = None) -> ClusterFile:
    return ClusterFile.model_validate(
        {"layer": "arda", "caFingerprint": ":".join(["AB"] * 32), "founder": founder, "founded": founded}
    )


def member(name: str, *, learns: bool = False, starts: bool = False) -> EtcdMember:
    return EtcdMember(IDS[name], "" if starts else name, (), (), is_learner=learns)


def with_etcd(*members: EtcdMember) -> Answered:
    return Answered(etcd="Running", members=members)


ALONE = with_etcd(member(A))
ALL_READY = {A: READY, B: READY, C: READY}
NO_OTHER = "it is ready, and no other control plane has an etcd"
REMEDY = "switch it on, and look at its screen; if it is gone for good, remove its file in machines/"


@pytest.mark.parametrize(
    ("cluster", "found", "step"),
    [
        (None, ALL_READY, Wait("it has no secrets yet; they are made when its first machine asks for its configuration")),
        (record(), {}, Wait("the fleet declares no control plane yet; switch on a machine that may join")),
        (record(), {A: READY}, NameFounder(A, NO_OTHER)),
        (record(), ALL_READY, NameFounder(A, NO_OTHER)),
        (record(), {A: Answered(is_installed=False), B: READY}, NameFounder(B, NO_OTHER)),
        (record(B), ALL_READY, TellFounder(B, NO_OTHER)),
        (record(), ALL_READY | {B: OFF}, Wait(f"arda-02: Talos cannot be reached; {REMEDY}", (B,))),
        (record(A), ALL_READY | {B: OFF}, Wait(f"arda-02: Talos cannot be reached; {REMEDY}", (B,))),
        (record(A), ALL_READY | {A: OFF}, Wait(f"arda-01: Talos cannot be reached; {REMEDY}", (A,))),
        (record(A), ALL_READY | {B: HELD}, Wait(f"arda-02: {HELD.why}", (B,))),
        (
            record(A),
            ALL_READY | {A: OFF, B: HELD},
            Wait(f"arda-01: Talos cannot be reached; arda-02: {HELD.why}; {REMEDY}", (A, B)),
        ),
        (
            record(A),
            ALL_READY | {B: Answered(etcd="Preparing", is_settled=False)},
            Wait("arda-02 has only begun to prepare etcd", (B,)),
        ),
        (record(A), ALL_READY | {C: ELSEWHERE}, Refuse(f"arda-03: {ELSEWHERE.why}")),
        (record(A), {B: READY, C: READY}, FoundAgain("arda-01 was to found it, and left the fleet before it had")),
        (record(A), ALL_READY | {A: ALONE}, NoteFounded("etcd has 1 member: arda-01")),
        (record(A, FOUNDED), ALL_READY | {A: ALONE, C: OFF}, Founded("etcd has 1 member: arda-01")),
        (record(), ALL_READY | {A: ALONE}, NameFounder(A, "its etcd runs already: etcd has 1 member: arda-01")),
        (record(B), ALL_READY | {A: ALONE}, NoteFounded("etcd has 1 member: arda-01")),
        (
            record(A),
            {A: ALONE, B: with_etcd(member(B))},
            Refuse(
                "arda-01 and arda-02 have an etcd each, without the other in it, so there are two clusters; keep one, "
                "and reinstall the other: iluvatar-pxe machines reinstall NAME"
            ),
        ),
        (record(A), {A: with_etcd(member(A, starts=True))}, Wait("the etcd of arda-01 is starting", (A,))),
        (record(A), {A: OFF, B: with_etcd(member(A), member(B, learns=True))}, Wait("the etcd of arda-02 is starting", (B,))),
        (record(A), ALL_READY | {A: Answered(etcd="Running")}, Wait("arda-01 has an etcd that is Running", (A,))),
        (
            record(A, FOUNDED),
            ALL_READY,
            Refuse(
                f"it was founded on {FOUNDED}, and no control plane has an etcd any more: its data is lost; restore a "
                "snapshot, or to found it again empty, raise generation in clusters/arda.yaml, remove its lines "
                "founder and founded, and push"
            ),
        ),
        (
            record(A),
            {A: Answered(etcd="Preparing", discovered=frozenset({A, "old-01"}))},
            Wait(
                "Talos' discovery knows control planes that the fleet does not list: old-01; declare them, or wipe "
                "them; those that are gone are forgotten after 30 minutes",
                ("old-01",),
            ),
        ),
    ],
)  # fmt: skip
def test_the_next_step(cluster: ClusterFile | None, found: dict[str, Found], step: Step) -> None:
    assert next_step(cluster, found) == step


@pytest.mark.parametrize(
    ("answered", "lacking"),
    [
        (Answered(etcd="Preparing", is_in_sync=False), "has a clock that is not in step with a time server"),
        (Answered(etcd="Preparing", is_reboot_pending=True), "is about to restart"),
        (Answered(is_installed=False), "is not installed yet"),
        (Answered(etcd="Preparing", is_settled=False), "has only begun to prepare etcd"),
        (Answered(etcd="Failed"), "has an etcd that is Failed"),
        (Answered(), "has not begun to prepare etcd"),
    ],
)
def test_who_is_not_ready_is_waited_for_by_whoever_chooses_and_as_the_founder(
    answered: Answered, lacking: str
) -> None:
    assert next_step(record(), {A: answered}) == Wait(f"arda-01 {lacking}", (A,))
    waited = next_step(record(A), {A: answered, B: READY})
    assert isinstance(waited, Wait)
    assert waited.names == (A,)
    assert waited.why.endswith(lacking)


MEMBERS = st.sampled_from([(), (member(A),), (member(B),), (member(A), member(B)), (member(A, starts=True),)])
ANSWERS = st.builds(
    Answered,
    etcd=st.sampled_from(["", "Preparing", "Running", "Failed"]),
    is_settled=st.booleans(),
    members=MEMBERS,
    is_installed=st.booleans(),
    is_in_sync=st.booleans(),
    is_reboot_pending=st.booleans(),
)
FOUND = st.one_of(ANSWERS, st.just(READY), st.just(OFF), st.just(ELSEWHERE))
RECORDS = st.builds(record, st.sampled_from([None, *NAMES]), st.sampled_from([None, FOUNDED]))


@given(RECORDS, st.dictionaries(st.sampled_from(NAMES), FOUND))
def test_bootstrap_is_called_only_where_no_etcd_can_be(cluster: ClusterFile, found: dict[str, Found]) -> None:
    step = next_step(cluster, found)
    if isinstance(step, TellFounder):
        assert step.founder == cluster.founder
        assert not cluster.founded
        assert all(isinstance(one, Answered) and one.has_no_etcd for one in found.values())
        founder = found[step.founder]
        assert isinstance(founder, Answered)
        assert founder.lacking == ""
    if isinstance(step, NameFounder | FoundAgain):
        assert not isinstance(step, NameFounder) or cluster.founder is None
        assert step.founder in found if isinstance(step, NameFounder) else cluster.founder not in found
    if isinstance(step, Founded | NoteFounded):
        assert any(isinstance(one, Answered) and one.is_member(name) for name, one in found.items())
    assert step.why
    assert "\n" not in step.why
