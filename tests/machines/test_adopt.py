"""What memory and the database know, united."""

from datetime import timedelta
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from inventory.samples import NOW, machine

from iluvatar_pxe.machines.adopt import adopt
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Assignment, Attempts, CleanUp, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MACS = machine(1).macs


def snapshot(*machines: Machine) -> Snapshot:
    return Snapshot.of(machines)


def into(survivor: int, absorbed: int, offset: int) -> Merge:
    return Merge(UUID(int=absorbed), UUID(int=survivor), offset, offset, offset)


def test_an_empty_memory_takes_what_is_stored() -> None:
    adoption = adopt(Snapshot(), snapshot(machine(1), machine(2)), gone=())
    assert adoption.snapshot == snapshot(machine(1), machine(2))
    assert (adoption.merges, adoption.unwritten) == ((), ())


def test_a_machine_that_the_database_lacks_is_to_be_written() -> None:
    adoption = adopt(snapshot(machine(1)), snapshot(machine(2)), gone=())
    assert adoption.snapshot == snapshot(machine(1), machine(2))
    assert adoption.unwritten == (machine(1),)


def test_by_one_id_memory_is_newer() -> None:
    newer = machine(1, generation=3)
    adoption = adopt(snapshot(newer), snapshot(machine(1, generation=2)), gone=())
    assert adoption.snapshot == snapshot(newer)
    assert (adoption.merges, adoption.unwritten) == ((), (newer,))


def test_the_database_s_id_wins_and_boots_are_counted_on() -> None:
    stored = machine(1, generation=7, reached=Stage.CONFIG, serial="CZ1", product="old")
    later = NOW + timedelta(days=1)
    seen = machine(
        50, macs=MACS, generation=2, reached=Stage.NBP, product="new", first_seen=later, last_seen=later
    )
    adoption = adopt(snapshot(seen), snapshot(stored), gone=())
    united = machine(
        1,
        generation=9,
        reached=Stage.NBP,
        furthest=Stage.CONFIG,
        serial="CZ1",
        product="new",
        first_seen=NOW,
        last_seen=later,
    )
    assert adoption.snapshot == snapshot(united)
    assert adoption.merges == (into(1, 50, 7),)
    assert adoption.unwritten == (united,)


def test_the_more_telling_firmware_stays() -> None:
    seen = machine(50, macs=MACS, firmware=Firmware.IPXE)
    (united,) = adopt(snapshot(seen), snapshot(machine(1)), gone=()).unwritten
    assert united.firmware is Firmware.UEFI_PXE
    seen = machine(50, macs=MACS, firmware=Firmware.UEFI_HTTP)
    (united,) = adopt(snapshot(seen), snapshot(machine(1)), gone=()).unwritten
    assert united.firmware is Firmware.UEFI_HTTP


def test_two_machines_in_memory_that_are_one_in_the_database() -> None:
    stored = machine(1, macs=("52:54:00:00:00:0a", "52:54:00:00:00:0b"), generation=3)
    first = machine(50, macs=stored.macs[:1], generation=2)
    second = machine(51, macs=stored.macs[1:], generation=1)
    adoption = adopt(snapshot(first, second), snapshot(stored), gone=())
    assert adoption.merges == (into(1, 50, 3), into(1, 51, 5))
    assert adoption.snapshot == snapshot(machine(1, macs=stored.macs, generation=6))
    assert len(adoption.unwritten) == 1


def test_what_the_database_still_has_and_is_no_more_stays_away() -> None:
    adoption = adopt(snapshot(machine(1)), snapshot(machine(1), machine(2)), gone=[UUID(int=2)])
    assert adoption.snapshot == snapshot(machine(1))


def test_a_card_that_was_split_off_meanwhile_stays_split() -> None:
    whole = machine(1, macs=("52:54:00:00:00:0a", "52:54:00:00:00:0b"))
    rest = machine(1, macs=whole.macs[:1])
    card = machine(50, macs=whole.macs[1:])
    adoption = adopt(snapshot(rest, card), snapshot(whole), gone=())
    assert (adoption.snapshot, adoption.merges) == (snapshot(rest, card), ())


def test_which_machines_of_the_database_are_one_is_not_decided_here() -> None:
    seen = machine(50, macs=(*machine(1).macs, *machine(2).macs, "52:54:00:00:00:0c"))
    adoption = adopt(snapshot(seen), snapshot(machine(1), machine(2)), gone=())
    united = machine(1, macs=(*machine(1).macs, "52:54:00:00:00:0c"), generation=2)
    assert adoption.snapshot == snapshot(united, machine(2))


def test_what_was_split_off_or_in_question_stays_so_whoever_knows_of_it() -> None:
    stored = machine(1, apart=("52:54:00:00:00:0a",), unsure=("52:54:00:00:00:0c",))
    seen = machine(50, macs=MACS, apart=("52:54:00:00:00:0b",), unsure=("52:54:00:00:00:0d",))
    (united,) = adopt(snapshot(seen), snapshot(stored), gone=()).unwritten
    assert united.apart == (*stored.apart, *seen.apart)
    assert united.unsure == (*stored.unsure, *seen.unsure)


def test_the_hardware_that_was_read_is_known_whoever_knows_of_it() -> None:
    read, later = (Inspection(at=NOW, boot=boot) for boot in (1, 2))
    for stored, seen, known in ((read, None, read), (None, later, later), (read, later, later)):
        now = snapshot(machine(50, macs=MACS, inspection=seen))
        (united,) = adopt(now, snapshot(machine(1, inspection=stored)), gone=()).unwritten
        assert united.inspection == known


def test_what_is_left_to_do_in_a_cluster_is_known_whoever_knows_of_it() -> None:
    left = CleanUp("arda", "arda-01", boot=1)
    for stored, seen, known in ((left, None, left), (None, left, replace(left, boot=2))):
        now = snapshot(machine(50, macs=MACS, clean_up=seen))
        (united,) = adopt(now, snapshot(machine(1, clean_up=stored)), gone=()).unwritten
        assert united.clean_up == known


def test_the_seed_that_was_given_last_counts_whoever_knows_of_it() -> None:
    for stored, seen, known in ((Seed(1), Seed(), Seed(1)), (Seed(1, is_spent=True), Seed(1), Seed(2))):
        now = snapshot(machine(50, macs=MACS, seed=seen))
        (united,) = adopt(now, snapshot(machine(1, seed=stored)), gone=()).unwritten
        assert united.seed == known


STORED = {
    "arch": CpuArch.X86_64,
    "uuid": UUID("4c4c4544-0051-3010-8052-b4c04f465031"),
    "serial": "CZ1",
    "manufacturer": "Dell",
    "product": "R220",
    "board": "0DRXF5",
    "address": IPv4Address("10.77.0.50"),
    "phase": Phase.JOINED,
    "directive": Directive(Intent.LOCAL, "anna", "it moves"),
    "conflict": "it was somebody else's",
    "attempts": Attempts("talos", Stage.KERNEL, (NOW,), 1),
    "report": Report("one", 1, ("no disk matched",), "ainur/ainur-01"),
}


@pytest.mark.parametrize("field", STORED)
def test_what_memory_does_not_know_is_as_the_database_has_it(field: str) -> None:
    stored = machine(1, **{field: STORED[field]})
    (united,) = adopt(snapshot(machine(50, macs=MACS)), snapshot(stored), gone=()).unwritten
    assert getattr(united, field) == STORED[field]


def given(name: str) -> Assignment:
    return Assignment(name=name, layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)


def test_a_name_that_another_machine_of_the_database_has_is_not_kept() -> None:
    holder = machine(2, assignment=given("arda-01"))
    adoption = adopt(snapshot(machine(1, assignment=given("arda-01"))), snapshot(holder), gone=())
    assert adoption.snapshot == snapshot(machine(1), holder)


def test_a_name_that_the_database_lacks_is_kept_and_one_it_has_comes_back() -> None:
    named = machine(1, assignment=given("arda-01"))
    assert adopt(snapshot(named), snapshot(machine(1)), gone=()).unwritten == (named,)
    assert adopt(snapshot(machine(1)), snapshot(named), gone=()).snapshot == snapshot(named)


def test_attempts_are_counted_on_with_the_boots() -> None:
    attempts = Attempts("talos", Stage.KERNEL, (NOW,), 2)
    seen = machine(50, macs=MACS, generation=2, phase=Phase.BOOTING, attempts=attempts)
    (united,) = adopt(snapshot(seen), snapshot(machine(1, generation=7)), gone=()).unwritten
    assert (united.phase, united.attempts) == (Phase.BOOTING, replace(attempts, boot=9))
