"""One preview: a machine's next boot is the same whether it is asked for by name, by MAC, or for a commit's changes."""

from uuid import UUID

import pytest
from support.fleets import CONFIGURED, READY, fleet_of
from support.machines import machine_of
from support.pi import READY as PI_READY

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import BootLocal, Hold, Ignore, Plan, RunScript, ServePiFiles
from iluvatar_pxe.boot.preview.asker import asking, find_asker, listed_sighting, mac_sighting
from iluvatar_pxe.boot.preview.next_boot import next_boot
from iluvatar_pxe.boot.preview.summary import Preview
from iluvatar_pxe.errors import UnknownMachineError
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC, SECOND = "52:54:00:77:00:01", "52:54:00:77:00:02"
UUID_OF_IT = "4c4c4544-0035-3310-8052-b4c04f4e4432"
CONTEXT = Context(ready=READY | PI_READY, window_open=True)
RULES = "rules: [{match: {firmware: 'uefi-*'}, layer: arda, role: worker}]\n"
PC, PI = "role: worker\n", "layer: ainur\nrole: agent\n"
SEEN = machine_of(MAC, arch=CpuArch.X86_64)
SEEN_PI = machine_of(
    MAC, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64, product="Raspberry Pi 4 Model B"
)


def listed(lines: str, macs: str = MAC) -> Fleet:
    return fleet_of(("it", macs, lines), fleet=RULES, arda=CONFIGURED, ainur="image: ubuntu\n")


def by_serial(lines: str) -> Fleet:
    match = f"match: {{serial: S77, uuid: {UUID_OF_IT}}}\n{lines}"
    return fleet_of(fleet=RULES, arda=CONFIGURED, ainur="image: ubuntu\n", **{"machines/it_yaml": match})


def seen_by_serial(machine: Machine) -> Machine:
    return replace(machine, serial="S77", uuid=UUID(UUID_OF_IT))


CASES: dict[str, tuple[Fleet, Machine | None, type[Plan]]] = {
    "PC": (listed(PC), None, RunScript),
    "PC, held": (listed(f"{PC}intent: hold\n"), None, Hold),
    "PC, its disk": (listed(f"{PC}intent: local\n"), None, BootLocal),
    "PC, ignored": (listed(f"{PC}intent: ignore\n"), None, Ignore),
    "PC, chain local": (listed("chain: local\nlocal: 404\n"), None, BootLocal),
    "PC by its serial number": (by_serial(PC), None, RunScript),
    "Pi": (listed(PI), None, ServePiFiles),
    "Pi, held": (listed(f"{PI}intent: hold\n"), None, Hold),
    "Pi, chain local": (listed(f"{PI}chain: local\n"), None, BootLocal),
    "Pi by its serial number": (by_serial(PI), None, ServePiFiles),
    "what iPXE boots in ainur": (
        fleet_of(("it", MAC, f"{PI}chain: ipxe\nscript: a.ipxe\n"), ainur="", a_ipxe="#!ipxe\n"),
        None,
        RunScript,
    ),
    "seen PC": (listed(PC), SEEN, RunScript),
    "seen PC, directive": (listed(PC), replace(SEEN, directive=Directive(Intent.HOLD, "anna")), Hold),
    "seen PC, joined": (listed(PC), replace(SEEN, phase=Phase.JOINED), BootLocal),
    "seen PC by its serial number": (by_serial(PC), seen_by_serial(SEEN), RunScript),
    "seen as Talos only": (listed(PC), replace(SEEN, firmware=Firmware.TALOS), RunScript),
    "seen Pi": (listed(PI), SEEN_PI, ServePiFiles),
    "seen Pi in arda": (listed(PC), SEEN_PI, Hold),
    "seen PC in ainur": (listed(PI), SEEN, Hold),
    "seen, by rule": (fleet_of(fleet=RULES, arda=CONFIGURED), SEEN, RunScript),
    "seen, no rule": (fleet_of(), SEEN, Hold),
    "seen, claims a card": (listed(PC, SECOND), replace(SEEN, claimed=(SECOND,)), Hold),
    "seen, in two files": (
        fleet_of(("it", MAC, PC), ("other", SECOND, PC), arda=CONFIGURED),
        machine_of(MAC, SECOND, arch=CpuArch.X86_64),
        Hold,
    ),
}


def plan_of(known: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context = CONTEXT) -> Plan:
    (*_, last) = next_boot(asking(known), snapshot, fleet, context)
    return last.decision.plan


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_every_way_to_ask_gets_one_answer(case: str, ready: bool) -> None:  # noqa: FBT001
    fleet, machine, expected = CASES[case]
    context = CONTEXT if ready else Context(window_open=True)
    snapshot = Snapshot.of([machine] if machine else [])
    summary = Preview(fleet, snapshot, context).of(machine, next(iter(fleet.listed), None))
    assert summary
    assert isinstance(summary.plan, expected) or not ready
    texts = [one.name for one in fleet.listed if machine is None or listed_as(machine, fleet) == one]
    texts += (
        [*machine.macs, str(machine.id)]
        if machine
        else [mac for one in fleet.listed for mac in one.file.match.macs]
    )
    for text in texts:
        plan = plan_of(find_asker(text, snapshot, fleet), snapshot, fleet, context)
        assert (type(plan), plan.why) == (type(summary.plan), summary.plan.why)


def test_a_file_that_lists_a_card_of_another_file_s_machine() -> None:
    """It is about that machine, whichever of both files is asked about."""
    fleet, machine, _ = CASES["seen, in two files"]
    snapshot = Snapshot.of([machine] if machine else [])
    plan = plan_of(find_asker("other", snapshot, fleet), snapshot, fleet)
    assert "list NICs of the same machine" in plan.why
    for one in fleet.listed:
        summary = Preview(fleet, snapshot, CONTEXT).of(None, one)
        assert summary
        assert summary.plan == plan


def test_of_a_machine_that_was_not_seen_its_file_tells_the_firmware() -> None:
    for fleet, firmware in ((listed(PC), Firmware.UEFI_PXE), (listed(PI), Firmware.RASPBERRY_PI)):
        (one,) = fleet.listed
        assert listed_sighting(one, fleet).firmware is firmware
        assert mac_sighting(MAC, fleet) == listed_sighting(one, fleet)
    assert mac_sighting(SECOND, listed(PI)) == Sighting(mac=SECOND, firmware=Firmware.UEFI_PXE)


def test_any_mac_of_a_file_is_asked_by() -> None:
    fleet = listed(PI, f'{MAC}", "{SECOND}')
    assert mac_sighting(SECOND, fleet) == replace(listed_sighting(fleet.listed[0], fleet), mac=SECOND)


@pytest.mark.parametrize(
    ("known", "firmware", "arch", "expected"),
    [
        (Firmware.UEFI_PXE, None, None, (Firmware.UEFI_PXE, CpuArch.X86_64, Platform.UEFI)),
        (Firmware.BIOS_PXE, None, None, (Firmware.BIOS_PXE, CpuArch.X86_64, Platform.BIOS)),
        (Firmware.TALOS, None, None, (Firmware.UEFI_PXE, CpuArch.X86_64, Platform.UEFI)),
        (Firmware.IPXE, None, CpuArch.ARM64, (Firmware.IPXE, CpuArch.ARM64, Platform.UEFI)),
        (Firmware.RASPBERRY_PI, None, None, (Firmware.RASPBERRY_PI, CpuArch.ARM64, None)),
        (
            Firmware.RASPBERRY_PI,
            Firmware.UEFI_HTTP,
            None,
            (Firmware.UEFI_HTTP, CpuArch.X86_64, Platform.UEFI),
        ),
        (Firmware.UEFI_PXE, Firmware.RASPBERRY_PI, None, (Firmware.RASPBERRY_PI, CpuArch.ARM64, None)),
    ],
)
def test_what_is_asked_about_goes_first(
    known: Firmware,
    firmware: Firmware | None,
    arch: CpuArch | None,
    expected: tuple[Firmware, CpuArch, Platform | None],
) -> None:
    asks = asking(Sighting(mac=MAC, firmware=known), firmware, arch)
    assert (asks.firmware, asks.arch, asks.platform) == expected
    assert asks.client == f"{expected[0]} on {expected[1]}"


def test_two_machines_of_one_name_are_told_apart_by_mac() -> None:
    fleet = listed(PC, f'{MAC}", "{SECOND}')
    snapshot = Snapshot.of([SEEN, machine_of(SECOND)])
    with pytest.raises(UnknownMachineError, match="2 machines match"):
        find_asker("it", snapshot, fleet)


def test_a_name_that_a_machine_was_given_finds_it() -> None:
    given = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=SEEN.last_seen)
    snapshot = Snapshot.of([replace(SEEN, assignment=given)])
    assert find_asker("arda-01", snapshot, fleet_of()).mac == MAC
