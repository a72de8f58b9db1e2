"""What memory and the database know, united."""

from datetime import timedelta
from uuid import UUID

from inventory.samples import NOW, machine

from iluvatar_pxe.inventory.adopt import adopt
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware

MACS = machine(1).macs


def snapshot(*machines: Machine) -> Snapshot:
    return Snapshot({mac: machine for machine in machines for mac in machine.macs})


def test_an_empty_memory_takes_what_is_stored() -> None:
    adoption = adopt(Snapshot(), snapshot(machine(1), machine(2)))
    assert adoption.snapshot == snapshot(machine(1), machine(2))
    assert (adoption.renamed, adoption.unwritten) == ({}, ())


def test_a_machine_that_the_database_lacks_is_to_be_written() -> None:
    adoption = adopt(snapshot(machine(1)), snapshot(machine(2)))
    assert adoption.snapshot == snapshot(machine(1), machine(2))
    assert adoption.unwritten == (machine(1),)


def test_by_one_id_memory_is_newer() -> None:
    newer = machine(1, generation=3)
    adoption = adopt(snapshot(newer), snapshot(machine(1, generation=2)))
    assert adoption.snapshot == snapshot(newer)
    assert (adoption.renamed, adoption.unwritten) == ({}, (newer,))


def test_the_database_s_id_wins_and_boots_are_counted_on() -> None:
    stored = machine(1, generation=7, reached=Stage.CONFIG, serial="CZ1", product="old")
    later = NOW + timedelta(days=1)
    seen = machine(
        50, macs=MACS, generation=2, reached=Stage.NBP, product="new", first_seen=later, last_seen=later
    )
    adoption = adopt(snapshot(seen), snapshot(stored))
    united = machine(
        1, generation=9, reached=Stage.NBP, serial="CZ1", product="new", first_seen=NOW, last_seen=later
    )
    assert adoption.snapshot == snapshot(united)
    assert adoption.renamed == {UUID(int=50): (UUID(int=1), 7)}
    assert adoption.unwritten == (united,)


def test_the_more_telling_firmware_stays() -> None:
    seen = machine(50, macs=MACS, firmware=Firmware.IPXE)
    (united,) = adopt(snapshot(seen), snapshot(machine(1))).unwritten
    assert united.firmware is Firmware.UEFI_PXE
    seen = machine(50, macs=MACS, firmware=Firmware.UEFI_HTTP)
    (united,) = adopt(snapshot(seen), snapshot(machine(1))).unwritten
    assert united.firmware is Firmware.UEFI_HTTP


def test_two_machines_in_memory_that_are_one_in_the_database() -> None:
    stored = machine(1, macs=("52:54:00:00:00:0a", "52:54:00:00:00:0b"), generation=3)
    first = machine(50, macs=stored.macs[:1], generation=2)
    second = machine(51, macs=stored.macs[1:], generation=1)
    adoption = adopt(snapshot(first, second), snapshot(stored))
    assert adoption.renamed == {UUID(int=50): (UUID(int=1), 3), UUID(int=51): (UUID(int=1), 5)}
    assert adoption.snapshot == snapshot(machine(1, macs=stored.macs, generation=6))
    assert len(adoption.unwritten) == 1
