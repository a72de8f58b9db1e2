"""Two records that turn out to be one machine, one that turns out to be two, and what becomes of their boots."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.machines import machine_of

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.hardware import BOGUS_SERIALS, BOGUS_UUIDS
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.merge import merge, split
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.observe import Step, observed
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Attempts, CleanUp, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

A, B, C = (f"52:54:00:00:00:0{number}" for number in range(1, 4))
ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REAL = UUID("03de0294-0480-0506-f806-d50700080009")
PLACE = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)
LATER = NOW + timedelta(minutes=1)


@pytest.mark.parametrize("speaking", [ONE, TWO])
@pytest.mark.parametrize(
    ("senior", "junior"),
    [
        pytest.param({"assignment": PLACE}, {"phase": Phase.JOINED, "furthest": Stage.CONFIG}, id="assigned"),
        pytest.param({"phase": Phase.BOOTING}, {"furthest": Stage.CONFIG}, id="booted"),
        pytest.param({"furthest": Stage.CONFIG, "first_seen": LATER}, {"first_seen": NOW}, id="came further"),
        pytest.param({"first_seen": NOW}, {"first_seen": LATER}, id="seen first"),
        pytest.param({}, {}, id="no difference"),
    ],
)
def test_who_lives_on(senior: dict[str, Any], junior: dict[str, Any], speaking: UUID) -> None:
    one, two = machine_of(A, id=ONE, **senior), machine_of(B, id=TWO, **junior)
    for first, second in permutations((one, two)):
        united, done = merge(first, second, speaking)
        assert (united.id, done.survivor, done.absorbed) == (ONE, ONE, TWO)
        assert set(united.macs) == {A, B}
        assert united.assignment == one.assignment


def test_a_nic_in_question_that_turns_out_to_be_the_machines_is_none_any_more() -> None:
    """It asked for the configuration; clones that already counted as one stay in question."""
    stranger = "52:54:00:00:00:04"
    one, two = machine_of(A, B, id=ONE, unsure=(B, C, stranger)), machine_of(C, id=TWO)
    whole, _ = merge(one, two, ONE)
    assert whole.unsure == (B, stranger)


def test_the_hardware_that_was_read_of_either_is_known_of_both() -> None:
    read = Inspection(at=machine_of(A).last_seen, boot=1)
    one, two = machine_of(A, id=ONE), machine_of(B, id=TWO, inspection=read)
    assert merge(one, two, ONE)[0].inspection == merge(two, one, ONE)[0].inspection == read


def test_what_is_left_to_do_after_either_is_left_to_do_after_both() -> None:
    left = CleanUp("arda", "arda-01", boot=2)
    one, two = machine_of(A, id=ONE, generation=3), machine_of(B, id=TWO, generation=4, clean_up=left)
    for whole, done in (merge(one, two, ONE), merge(two, one, ONE)):
        assert whole.clean_up == replace(left, boot=done.renamed(TWO, left.boot)[1])


def test_the_ticket_of_the_one_that_lives_on_stays_good() -> None:
    one, two = (
        machine_of(A, id=ONE, generation=3, seed=Seed(3), assignment=PLACE),
        machine_of(B, id=TWO, generation=4),
    )
    for speaking in (ONE, TWO):
        whole, done = merge(one, two, speaking)
        assert whole.seed.is_good_for(done.renamed(ONE, 3)[1])


def test_what_one_has_not_told_the_other_did() -> None:
    one = machine_of(
        A,
        id=ONE,
        assignment=PLACE,
        phase=Phase.BOOTING,
        firmware=Firmware.IPXE,
        uuid=UUID(BOGUS_UUIDS[0].value),
        serial=BOGUS_SERIALS[0].value,
        first_seen=LATER,
        last_seen=LATER,
        conflict="in doubt",
    )
    two = machine_of(
        B,
        id=TWO,
        uuid=REAL,
        serial="CZ1",
        manufacturer="HP",
        product="EliteDesk",
        board="8054",
        arch=CpuArch.X86_64,
        address=IPv4Address("10.0.0.2"),
        furthest=Stage.NBP,
        first_seen=NOW,
        last_seen=NOW,
        directive=Directive(Intent.HOLD, "ilu", "wait"),
    )
    united, _ = merge(one, two, TWO)
    told = replace(two, id=ONE, macs=(A, B), generation=2, last_seen=LATER)
    assert united == replace(told, assignment=PLACE, phase=Phase.BOOTING)


def test_what_the_survivor_has_told_stays() -> None:
    hardware: dict[str, Any] = {"uuid": REAL, "serial": "CZ1", "product": "EliteDesk", "board": "8054"}
    one = machine_of(
        A, id=ONE, assignment=PLACE, directive=Directive(Intent.LOCAL), arch=CpuArch.X86_64, **hardware
    )
    two = machine_of(
        B,
        id=TWO,
        uuid=UUID(int=9),
        serial="x",
        product="y",
        arch=CpuArch.I386,
        directive=Directive(Intent.HOLD),
    )
    united, _ = merge(one, two, ONE)
    assert united == replace(one, macs=(A, B), generation=3)


def boots_of(machine: Machine) -> list[tuple[UUID, int]]:
    return [(machine.id, number) for number in range(1, machine.generation + 1)]


MACHINES = st.tuples(*(st.integers(1, 6) for _ in range(2)), st.booleans())


@given(MACHINES, st.sampled_from([ONE, TWO]))
def test_boots_are_renumbered_without_collisions(drawn: tuple[int, int, bool], speaking: UUID) -> None:
    boots_one, boots_two, first_is_senior = drawn
    one = machine_of(A, id=ONE, generation=boots_one, assignment=PLACE if first_is_senior else None)
    two = machine_of(B, id=TWO, generation=boots_two, assignment=None if first_is_senior else PLACE)
    united, done = merge(one, two, speaking)
    renamed = {old: done.renamed(*old) for old in boots_of(one) + boots_of(two)}
    assert len(set(renamed.values())) == len(renamed)
    assert {machine for machine, _ in renamed.values()} == {united.id}
    current = (speaking, boots_one if speaking == ONE else boots_two)
    assert renamed[current] == (united.id, united.generation)
    assert max(number for _, number in renamed.values()) == united.generation
    for machine in (one, two):
        before = [renamed[boot] for boot in boots_of(machine) if boot != current]
        assert before == sorted(before)
    assert done.renamed(THREE, 1) == (THREE, 1)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.data())
def test_any_number_of_records_become_one(boots: list[int], data: st.DataObject) -> None:
    records = [machine_of(A, id=UUID(int=n), generation=count) for n, count in enumerate(boots, start=1)]
    speaking, *others = data.draw(st.permutations(records))
    names = {boot: boot for one in records for boot in boots_of(one)}
    current = (speaking.id, speaking.generation)
    for other in others:
        speaking, done = merge(speaking, other, speaking.id)
        names = {old: done.renamed(*new) for old, new in names.items()}
    assert len(set(names.values())) == len(names)
    assert names[current] == (speaking.id, speaking.generation) == max(names.values())


def test_the_boot_under_way_is_not_counted_as_another_attempt() -> None:
    one = machine_of(
        A,
        id=ONE,
        generation=3,
        reached=Stage.SCRIPT,
        phase=Phase.BOOTING,
        attempts=Attempts("talos", Stage.SCRIPT, (NOW,), boot=3),
    )
    united, _ = merge(one, machine_of(B, id=TWO, generation=2), ONE)
    again = observed(united, Sighting(mac=A, firmware=Firmware.IPXE), Step(Stage.SCRIPT, LATER, "talos"))
    assert (united.generation, again.attempts) == (6, Attempts("talos", Stage.SCRIPT, (NOW,), boot=6))
    further = observed(again, Sighting(mac=A, firmware=Firmware.IPXE), Step(Stage.KERNEL, LATER))
    assert further.attempts.best is Stage.KERNEL


def test_an_earlier_attempt_keeps_its_boot() -> None:
    one = machine_of(A, id=ONE, generation=3, phase=Phase.BOOTING, attempts=Attempts("talos", boot=2))
    for speaking in (ONE, TWO):
        assert merge(one, machine_of(B, id=TWO), speaking)[0].attempts == one.attempts


def test_a_split_card_starts_over() -> None:
    machine = machine_of(
        A,
        B,
        C,
        id=ONE,
        generation=4,
        reached=Stage.SCRIPT,
        assignment=PLACE,
        uuid=REAL,
        serial="CZ1",
        arch=CpuArch.X86_64,
        last_seen=LATER,
        conflict="in doubt",
    )
    rest, card = split(machine, B, TWO)
    assert rest == replace(machine, macs=(A, C), conflict="", apart=(B,))
    assert card == machine_of(
        B,
        id=TWO,
        reached=Stage.SCRIPT,
        furthest=Stage.SCRIPT,
        arch=CpuArch.X86_64,
        first_seen=LATER,
        last_seen=LATER,
        apart=(A, C),
    )


@pytest.mark.parametrize(
    ("macs", "card", "why"),
    [
        pytest.param((A, B), C, f"{A} has no NIC {C}; it has {A}, {B}", id="not its card"),
        pytest.param((A,), A, f"{A} is the only NIC of {A}; to start over, forget it", id="its only card"),
    ],
)
def test_what_cannot_be_split(macs: tuple[str, ...], card: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its whole text is compared
        split(machine_of(*macs), card, TWO)
    assert str(caught.value) == why
