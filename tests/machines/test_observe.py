"""What is known of a machine after one more sighting."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.observe import Step, first_seen, observed
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Directive, Intent, Wipe
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MAC = "52:54:00:12:34:56"
NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
ID = UUID(int=1)

FULL = Sighting(
    mac=MAC,
    firmware=Firmware.UEFI_PXE,
    arch=CpuArch.X86_64,
    uuid=UUID(int=7),
    serial="CZ1",
    manufacturer="HP",
    product="EliteDesk",
    board="8054",
    address=IPv4Address("192.168.1.57"),
)


def see(known: Machine | None, sighting: Sighting, stage: Stage, now: datetime = NOW) -> Machine:
    step = Step(stage, now)
    return first_seen(sighting, step, ID) if known is None else observed(known, sighting, step)


def test_a_talos_that_is_in_the_way_is_wiped_by_one_boot_only() -> None:
    """With nothing to wipe it would restart for ever; what may be erased stays so until it is installed, whatever fails."""
    machine = replace(see(None, FULL, Stage.DISCOVER), directive=Directive(Intent.REINSTALL, wipe=Wipe.FIRST))
    for stage, wipe in (
        (Stage.SCRIPT, Wipe.FIRST),
        (Stage.INITRAMFS, Wipe.ALLOWED),
        (Stage.DISCOVER, Wipe.ALLOWED),
        (Stage.INITRAMFS, Wipe.ALLOWED),
        (Stage.CONFIG, Wipe.ALLOWED),
        (Stage.DISCOVER, Wipe.ALLOWED),
        (Stage.CONFIG, Wipe.ALLOWED),
        (Stage.INSTALLING, Wipe.ALLOWED),
        (Stage.INSTALLED, Wipe.NO),
    ):
        machine = see(machine, FULL, stage)
        assert machine.directive.wipe is wipe, stage
    assert machine.directive == Directive()


def test_what_still_runs_before_an_installation_does_not_take_its_consent_away() -> None:
    asked = Directive(Intent.REINSTALL, wipe=Wipe.FIRST)
    machine = replace(see(None, FULL, Stage.DISCOVER), directive=asked)
    assert see(machine, FULL, Stage.JOINED).directive == asked


def test_without_consent_that_boot_is_all_that_may_erase() -> None:
    machine = replace(see(None, FULL, Stage.DISCOVER), directive=Directive(Intent.REINSTALL, wipe=Wipe.ONCE))
    assert (machine.directive.wipe.next_boot_wipes, machine.directive.wipe.spares) == (True, True)
    assert see(machine, FULL, Stage.INITRAMFS).directive.wipe is Wipe.NO


def firmware_after(*seen: tuple[Firmware, Stage]) -> Firmware:
    machine = None
    for firmware, stage in seen:
        machine = see(machine, Sighting(mac=MAC, firmware=firmware), stage)
    assert machine is not None
    return machine.firmware


def test_an_unknown_machine_gets_the_fresh_id_and_its_first_boot() -> None:
    machine = see(None, FULL, Stage.DISCOVER)
    assert machine == Machine(
        id=ID,
        macs=(MAC,),
        generation=1,
        reached=Stage.DISCOVER,
        furthest=Stage.DISCOVER,
        first_seen=NOW,
        last_seen=NOW,
        firmware=Firmware.UEFI_PXE,
        arch=CpuArch.X86_64,
        uuid=UUID(int=7),
        serial="CZ1",
        manufacturer="HP",
        product="EliteDesk",
        board="8054",
        address=IPv4Address("192.168.1.57"),
    )


def test_what_a_sighting_leaves_empty_stays() -> None:
    before = see(None, FULL, Stage.DISCOVER)
    later = NOW + timedelta(seconds=2)
    after = see(before, Sighting(mac=MAC, firmware=Firmware.IPXE), Stage.IPXE_DISCOVER, later)
    changed = {name for name in Machine.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    assert changed == {"reached", "furthest", "last_seen"}
    assert (after.reached, after.last_seen) == (Stage.IPXE_DISCOVER, later)


SAID = Sighting(
    mac=MAC,
    macs=(MAC,),
    firmware=Firmware.IPXE,
    arch=CpuArch.I386,
    uuid=UUID(int=8),
    serial="CZ2",
    manufacturer="Hewlett",
    product="ProDesk",
    board="8055",
    address=IPv4Address("192.168.1.58"),
)


def test_what_a_script_tells_replaces() -> None:
    before = see(None, FULL, Stage.IPXE_DISCOVER)
    after = see(before, SAID, Stage.SCRIPT)
    told = ("arch", "uuid", "serial", "manufacturer", "product", "board", "address")
    assert [getattr(after, name) for name in told] == [getattr(SAID, name) for name in told]
    assert after.macs == before.macs


def test_dhcp_does_not_replace_what_a_script_told() -> None:
    """Some cards' option 97 has another UUID than the mainboard's SMBIOS; and anybody can ask in a PC's name as a Pi."""
    after = see(see(None, SAID, Stage.SCRIPT), FULL, Stage.DISCOVER)
    assert (after.uuid, after.serial) == (UUID(int=8), SAID.serial)


def test_of_a_machine_in_doubt_nothing_is_learned() -> None:
    before = replace(see(None, FULL, Stage.FIRST_SCRIPT), conflict="in doubt")
    later = NOW + timedelta(seconds=2)
    after = see(before, SAID, Stage.SCRIPT, later)
    assert after == replace(before, reached=Stage.SCRIPT, furthest=Stage.SCRIPT, last_seen=later)


def test_a_reboot_is_a_new_generation_that_starts_over() -> None:
    machine = see(see(None, FULL, Stage.DISCOVER), FULL, Stage.CONFIG)
    again = see(machine, FULL, Stage.DISCOVER)
    assert (again.id, again.generation, again.reached) == (ID, 2, Stage.DISCOVER)
    assert again.furthest is Stage.CONFIG


def test_an_earlier_stage_that_is_no_discover_does_not_go_back() -> None:
    machine = see(see(None, FULL, Stage.KERNEL), FULL, Stage.NBP)
    assert (machine.generation, machine.reached) == (1, Stage.KERNEL)


@pytest.mark.parametrize(
    "firmware", [Firmware.BIOS_PXE, Firmware.UEFI_PXE, Firmware.UEFI_HTTP, Firmware.RASPBERRY_PI]
)
@pytest.mark.parametrize("later", [Firmware.IPXE, Firmware.TALOS, Firmware.UNSUPPORTED, Firmware.NOT_BOOTING])
def test_later_programs_do_not_hide_the_firmware(firmware: Firmware, later: Firmware) -> None:
    assert firmware_after((firmware, Stage.DISCOVER), (later, Stage.IPXE_DISCOVER)) is firmware
    assert (
        firmware_after((firmware, Stage.DISCOVER), (later, Stage.CONFIG), (later, Stage.DISCOVER)) is firmware
    )


def test_ipxe_counts_when_nothing_else_is_known() -> None:
    assert (
        firmware_after((Firmware.IPXE, Stage.IPXE_DISCOVER), (Firmware.TALOS, Stage.CONFIG)) is Firmware.IPXE
    )


def test_firmware_seen_after_ipxe_counts_more() -> None:
    assert (
        firmware_after((Firmware.IPXE, Stage.IPXE_DISCOVER), (Firmware.UEFI_PXE, Stage.DISCOVER))
        is Firmware.UEFI_PXE
    )


def test_firmware_switched_by_its_owner_is_noticed_at_its_discover() -> None:
    assert (
        firmware_after((Firmware.BIOS_PXE, Stage.DISCOVER), (Firmware.UEFI_PXE, Stage.DISCOVER))
        is Firmware.UEFI_PXE
    )


def test_a_file_fetched_by_other_means_does_not_change_the_boot_s_firmware() -> None:
    assert (
        firmware_after((Firmware.UEFI_PXE, Stage.DISCOVER), (Firmware.UEFI_HTTP, Stage.NBP))
        is Firmware.UEFI_PXE
    )


@given(st.lists(st.tuples(st.sampled_from(Firmware), st.sampled_from(Stage)), min_size=1))
def test_generations_and_stages_only_go_forward(seen: list[tuple[Firmware, Stage]]) -> None:
    machine: Machine | None = None
    for firmware, stage in seen:
        before, machine = machine, see(machine, Sighting(mac=MAC, firmware=firmware), stage)
        assert machine.reached >= stage
        if before is None:
            continue
        assert machine.id == before.id
        assert machine.generation - before.generation in {0, 1}
        assert machine.generation > before.generation or machine.reached >= before.reached
        assert machine.furthest >= max(machine.reached, before.furthest)
