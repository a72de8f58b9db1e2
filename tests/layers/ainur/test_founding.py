"""What is done next for a k3s cluster: one server is ever told to initialise it, whatever is lost or killed meanwhile."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.layers.ainur.founding import Asks, Found, Serves, Starts, next_step
from iluvatar_pxe.layers.ainur.part import K3sPart, part_of
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
from iluvatar_pxe.machines.states import Role

A, B, C = NAMES = ("ainur-01", "ainur-02", "ainur-03")
NEW, KEPT, OFF = Asks(), Asks(has_data=True), Unproved("10.0.0.5: no answer")
ELSEWHERE = Foreign("10.0.0.5: its certificate is not of this cluster's CA")
FOUNDED = "2026-12-01T12:00:00Z"
ALONE = Serves("uid-1", frozenset({A}), frozenset({A}))
BOTH = Serves("uid-1", frozenset({A, B}), frozenset({A}))
ASKS = "it asks for its secrets, and no server runs"
MISSING = "switch it on, and look at its screen; if it is gone for good, remove its file in machines/"
ONE, TWO = f"it has 1 server: {A}", f"it has 2 servers: {A}, {B}"
LOST = (
    f"it was founded on {FOUNDED}, and each of its servers asks for its secrets again: its data is lost; restore a "
    "snapshot, or to found it again empty, raise generation in clusters/ainur.yaml, remove its lines founder and founded, "
    "and push"
)


def record(founder: str | None = None, founded: str | None = None) -> ClusterFile:
    return ClusterFile.model_validate(
        {"layer": "ainur", "caFingerprint": ":".join(["AB"] * 32), "founder": founder, "founded": founded}
    )


@pytest.mark.parametrize(
    ("cluster", "found", "step"),
    [
        (None, {A: NEW}, Wait("it has no secrets yet; they are made when its first machine asks for them")),
        (record(), {}, Wait("the fleet declares no server yet; switch on a Raspberry Pi that may join")),
        (record(), {A: OFF, B: OFF}, Wait(f"{A}: {OFF.why}; {B}: {OFF.why}; {MISSING}", (A, B))),
        (record(), {A: OFF, B: NEW, C: NEW}, NameFounder(B, ASKS)),
        (record(), {A: NEW, B: KEPT}, NameFounder(B, ASKS)),
        (record(), {A: ALONE, B: NEW}, NameFounder(A, f"its cluster runs already: {ONE}")),
        (record(A), {A: NEW, B: NEW}, TellFounder(A, ASKS)),
        (record(A), {A: KEPT, B: OFF}, TellFounder(A, ASKS)),
        (record(A), {A: NEW, B: KEPT}, Wait(f"{B} has the data of an etcd, and starts with it", (B,))),
        (record(A), {A: OFF, B: NEW}, Wait(f"{A}: {OFF.why}; {MISSING}", (A,))),
        (record(A), {A: Starts("503"), B: NEW}, Wait(f"{A}: 503", (A,))),
        (record(A), {B: NEW}, FoundAgain(f"{A} was to found it, and left the fleet before it had")),
        (record(A), {A: ALONE, B: NEW}, NoteFounded(ONE)),
        (record(A), {A: OFF, B: BOTH}, NoteFounded(TWO)),
        (record(A), {A: NEW, B: ELSEWHERE}, Refuse(f"{B}: {ELSEWHERE.why}")),
        (record(A, FOUNDED), {A: BOTH, B: NEW}, Founded(TWO, frozenset({A, B}), frozenset({A}))),
        (record(A, FOUNDED), {B: BOTH}, Founded(TWO, frozenset({A, B}), frozenset({A}))),
        (record(A, FOUNDED), {A: NEW, B: OFF}, Wait(f"{B}: {OFF.why}; {MISSING}", (B,))),
        (record(A, FOUNDED), {A: KEPT, B: NEW}, Wait(f"{A} has the data of an etcd, and starts with it", (A,))),
        (record(A, FOUNDED), {A: NEW, B: NEW}, Refuse(LOST)),
        (record(A, FOUNDED), {A: NEW}, Refuse(LOST)),
        (
            record(A),
            {A: ALONE, B: Serves("uid-2", frozenset({B}))},
            Refuse(
                f"{A} and {B} run a cluster each, so there are two; keep one, and reinstall the other: iluvatar-pxe "
                "machines reinstall NAME"
            ),
        ),
    ],
)  # fmt: skip
def test_the_next_step(cluster: ClusterFile | None, found: dict[str, Found], step: Step) -> None:
    assert next_step(cluster, found) == step


RUNS = Founded(TWO, frozenset({A, B}), frozenset({A}))


@pytest.mark.parametrize(
    ("name", "step", "has_data", "joining", "told"),
    [
        (A, TellFounder(A, ASKS), False, "", K3sPart.INIT),
        (B, TellFounder(A, ASKS), False, "", "so"),
        (B, NameFounder(A, ASKS), False, "", "so"),
        (B, NoteFounded(ONE), False, "", "so"),
        (A, NoteFounded(ONE), True, "", K3sPart.JOIN_SERVER),
        (A, Wait("so"), True, "", K3sPart.JOIN_SERVER),
        (A, Refuse("so"), True, "", "so"),
        (C, RUNS, False, "", K3sPart.JOIN_SERVER),
        (C, RUNS, False, "ainur-04", "ainur-04 joins first"),
        (A, RUNS, True, "ainur-04", K3sPart.JOIN_SERVER),
        (
            A,
            RUNS,
            False,
            "",
            f"the cluster still has {A} as a member, whose data is lost; that is removed first",
        ),
    ],
)
def test_what_a_server_is_told(
    name: str, step: Step, joining: str, told: K3sPart | str, *, has_data: bool
) -> None:
    found = part_of(name, Role.SERVER, step, "so", has_data=has_data, joining=joining)
    assert (found if isinstance(found, K3sPart) else found.why) == told


@pytest.mark.parametrize("step", [Wait("so"), Refuse("so"), TellFounder(A, ASKS), RUNS])
def test_an_agent_waits_by_itself(step: Step) -> None:
    assert part_of(A, Role.AGENT, step, "so", has_data=False, joining=B) is K3sPart.AGENT


@dataclass
class Pi:
    """A server: what is on its disk, and what it does."""

    data: str = ""
    """Which cluster's data is on its disk, by its number."""
    runs: bool = False
    told: K3sPart | None = None


@dataclass
class Daemon:
    """One that looks at its own time: what it knows of the record and of the servers may be old."""

    record: ClusterFile = field(default_factory=record)
    asking: set[str] = field(default_factory=set)
    step: Step = field(default_factory=lambda: Wait("not yet"))


class Founding(RuleBasedStateMachine):
    """Servers ask either of two daemons in any order; power, disks and daemons are lost; commits decide."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = record()
        self.pis = {name: Pi() for name in NAMES}
        self.daemons = [Daemon(), Daemon()]
        self.clusters = 0
        self.named: list[str] = []

    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 1))
    def ask(self, name: str, which: int) -> None:
        """A server asks a daemon, which fetches the newest record before it tells one to initialise."""
        daemon, pi = self.daemons[which], self.pis[name]
        if pi.runs:
            return
        daemon.asking.add(name)
        self.pull(which)
        self.look(which)
        self.look(which)
        told = part_of(name, Role.SERVER, daemon.step, "so", has_data=bool(pi.data), joining="")
        if isinstance(told, K3sPart):
            pi.told = told

    @rule(which=st.integers(0, 1))
    def pull(self, which: int) -> None:
        self.daemons[which].record = self.branch

    @rule(which=st.integers(0, 1))
    def look(self, which: int) -> None:
        """A daemon looks, and does what is next."""
        daemon = self.daemons[which]
        daemon.step = step = next_step(daemon.record, {name: self.seen(name, daemon) for name in NAMES})
        if isinstance(step, NameFounder | NoteFounded):  # a commit goes by the newest state, and brings it
            if isinstance(step, NameFounder) and self.branch.founder is None:
                self.branch = record(step.founder)
                self.named.append(step.founder)
            if isinstance(step, NoteFounded) and not self.branch.founded:
                self.branch = record(self.branch.founder, FOUNDED)
            daemon.record = self.branch

    def seen(self, name: str, daemon: Daemon) -> Found:
        pi = self.pis[name]
        if pi.runs:
            servers = frozenset(one for one, other in self.pis.items() if other.data == pi.data)
            return Serves(pi.data, servers, servers)
        return Asks(has_data=bool(pi.data)) if name in daemon.asking else OFF

    @rule(name=st.sampled_from(NAMES))
    def start(self, name: str) -> None:
        """Start k3s as it was told: with data it goes on, whatever that was."""
        pi = self.pis[name]
        if pi.told is None or pi.runs:
            return
        if not pi.data and pi.told is K3sPart.INIT:
            self.clusters += 1
            pi.data = f"uid-{self.clusters}"
        if not pi.data:
            running = [one.data for one in self.pis.values() if one.runs]
            if not running:
                return
            pi.data = running[0]
        pi.runs = True
        for daemon in self.daemons:
            daemon.asking.discard(name)

    @rule(name=st.sampled_from(NAMES))
    def power_cut(self, name: str) -> None:
        self.pis[name].runs = False

    @rule(which=st.integers(0, 1))
    def kill(self, which: int) -> None:
        self.daemons[which] = Daemon()

    @precondition(lambda self: self.branch.founded)
    @rule(name=st.sampled_from(NAMES))
    def lose_disk(self, name: str) -> None:
        """Lose a disk once the cluster is founded: what was on it, and what it was told, are gone."""
        self.pis[name] = Pi()

    @invariant()
    def one_is_named(self) -> None:
        assert len(self.named) <= 1

    @invariant()
    def one_cluster_was_initialised(self) -> None:
        assert self.clusters <= 1


TestFounding = Founding.TestCase
TestFounding.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
