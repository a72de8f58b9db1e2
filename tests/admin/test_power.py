"""Whose power is meant, and what is said of it."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from admin.samples import FREE, LISTED, OTHER, Counter
from support.fleets import fleet_of

from iluvatar_pxe.admin.power import Wake
from iluvatar_pxe.admin.power_target import power_target
from iluvatar_pxe.errors import OperationError, UnknownMachineError


def test_a_machine_has_the_macs_of_its_file_and_those_that_are_in_no_doubt(counter: Counter) -> None:
    snapshot = counter.inventory.snapshot
    machine = replace(
        counter.machine(FREE), macs=(FREE, OTHER), unsure=(OTHER,), claimed=("52:54:00:00:00:09",)
    )
    assert power_target(FREE, snapshot.with_machine(machine), counter.fleet).macs == (FREE,)
    listed = fleet_of(("big", OTHER, ""))
    assert power_target(FREE, snapshot.with_machine(machine), listed).macs == (OTHER, FREE)


def test_one_that_only_a_file_lists_has_what_that_says(counter: Counter) -> None:
    fleet = fleet_of(("new", "52:54:00:00:00:09", "address: 192.168.1.20\n"))
    target = power_target("New", counter.inventory.snapshot, fleet)
    assert (target.name, target.macs, target.machine) == ("new", ("52:54:00:00:00:09",), None)
    assert target.address == IPv4Address("192.168.1.20")
    with pytest.raises(UnknownMachineError, match="no machine has this name"):
        power_target("newer", counter.inventory.snapshot, fleet)


async def test_who_it_is_has_to_be_clear_and_a_daemon_has_to_run(counter: Counter) -> None:
    with pytest.raises(OperationError, match="no daemon is running"):
        await counter.ask(Wake(machine=LISTED))
    await counter.edit(FREE, conflict="two at once")
    with pytest.raises(OperationError, match="two at once; first: iluvatar-pxe machines release"):
        await counter.ask(Wake(machine=FREE))
