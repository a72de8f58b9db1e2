"""Where a machine is to be installed, by what was read of it and what the fleet says."""

from datetime import UTC, datetime

import pytest
from support.fleets import ARDA, fleet_of
from support.machines import machine_of

from iluvatar_pxe.fleet.disk_selector import DiskSelector, DiskType, MachineDisk
from iluvatar_pxe.layers.arda.install import (
    choice_words,
    disk_for,
    forgotten,
    held_words,
    needs_inspection,
    selector_for,
)
from iluvatar_pxe.machines.inspection import Content, Disk, Inspection
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.values import replace

MAC = "52:54:00:77:00:01"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAMED, PLACED = (
    Disk(path="/dev/sda", size=10**12, serial="S1"),
    Disk(path="/dev/vda", size=10**11, bus_path="/pci/1"),
)
FLEET = fleet_of(("it", MAC, "role: worker\n"))


def read(*disks: Disk, generation: int = 1, boot: int = 1, **more: str) -> Machine:
    found = Inspection(at=NOW, boot=boot, disks=disks, **more)  # type: ignore[arg-type]
    return machine_of(MAC, generation=generation, phase=Phase.BOOTING, inspection=found)


def test_a_machine_that_was_not_read_has_to_be() -> None:
    for machine in (machine_of(MAC), read(NAMED, boot=0)):
        assert needs_inspection(machine, FLEET)
        assert (choice_words(machine, FLEET), held_words(machine, FLEET)) == ("not read yet", "")


@pytest.mark.parametrize(("disk", "known_in"), [(NAMED, [1, 2]), (PLACED, [1])])
def test_a_disk_that_only_its_place_names_is_known_in_the_boot_in_which_it_was_read(
    disk: Disk, known_in: list[int]
) -> None:
    choices = {boot: disk_for(read(disk, generation=boot), FLEET) for boot in (1, 2)}
    assert [boot for boot, choice in choices.items() if choice] == known_in


def test_an_installed_machine_keeps_its_disk_whatever_the_fleet_says_since() -> None:
    machine = read(NAMED, PLACED, generation=7)
    assert machine.inspection
    machine = replace(machine, inspection=replace(machine.inspection, given=PLACED.identity))
    other = fleet_of(("it", MAC, "role: worker\ndisk: {serial: S1}\n"))
    for phase, path in (
        (Phase.BOOTING, "/dev/sda"),
        (Phase.INSTALLING, "/dev/vda"),
        (Phase.JOINED, "/dev/vda"),
    ):
        choice = disk_for(replace(machine, phase=phase), other)
        assert choice
        assert choice.path == path


def test_a_problem_holds_a_machine_and_is_forgotten_by_a_reinstall() -> None:
    machine = read(NAMED, problem="it is off; switch it on")
    assert held_words(machine, FLEET) == "it is off; switch it on"
    assert needs_inspection(machine, FLEET)
    again = replace(machine, inspection=forgotten(machine.inspection))
    assert choice_words(again, FLEET) == "not read yet"
    assert forgotten(None) is None


@pytest.mark.parametrize(
    ("file", "layer", "words"),
    [
        (
            "disk: {serial: NOPE, wwid: naa.3b}\n",
            "",
            "none of its disks fits 'disk' in its file (serial: NOPE, wwid: naa.3b): correct",
        ),
        (
            "",
            "disk: {minSize: 3TB, model: ['WD*', 'Sam*']}\n",
            "none of its disks fits 'disk' in its layer's file (minSize: 3TB, model: WD*, Sam*): correct",
        ),
        ("", "", "none of its disks fits: name one by 'disk' in its file, or plug one in"),
    ],
)
def test_the_selector_that_no_disk_fits_is_named(file: str, layer: str, words: str) -> None:
    disk = NAMED if file or layer else replace(NAMED, is_read_only=True)
    assert held_words(read(disk), fleet_of(("it", MAC, file), arda=ARDA + layer)).startswith(words)


@pytest.mark.parametrize("label", ["", "META"])
def test_the_remedy_names_the_machine(label: str) -> None:
    full = replace(NAMED, contents=(Content(path="/dev/sda1", label=label, is_partition=True),))
    assert held_words(read(full), FLEET).endswith(": iluvatar-pxe machines reinstall it --wipe")


def test_a_machine_s_own_selector_goes_before_its_layer_s() -> None:
    arda = f"{ARDA}disk: {{type: nvme}}\n"
    assert selector_for(machine_of(MAC), FLEET) is None
    assert selector_for(machine_of(MAC), fleet_of(("it", MAC, ""), arda=arda)) == DiskSelector(
        type=DiskType.NVME
    )
    own = fleet_of(("it", MAC, "disk: {serial: S1}\n"), arda=arda)
    assert selector_for(machine_of(MAC), own) == MachineDisk(serial="S1")
    assert selector_for(machine_of("52:54:00:77:00:02"), own) is None
