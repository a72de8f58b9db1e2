"""A whole boot previewed: the decisions that the servers would make one after the other."""

from datetime import UTC, datetime

import pytest
from support.fleets import INITRAMFS, KERNEL, PROGRAMS, READY, fleet_of
from support.machines import machine_of
from support.plans import plan_for

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import Hold, RunScript
from iluvatar_pxe.boot.preview.next_boot import Holders, PreviewStep, next_boot, with_boot_files
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
RULES = "rules: [{match: {firmware: 'uefi-*'}, layer: arda, role: worker, config: configs/one.yaml, chain: talos}]\n"
OPEN = Context(ready=READY, window_open=True)
ASKS = Sighting(mac=MAC, firmware=Firmware.UEFI_PXE, arch=CpuArch.X86_64, platform=Platform.UEFI)


def plans(steps: tuple[PreviewStep, ...]) -> list[str]:
    return [type(one.decision.plan).__name__ for one in steps]


def worker(name: str) -> Assignment:
    return Assignment(name=name, layer="arda", role=Role.WORKER, rule="rule 1 of fleet.yaml", at=NOW)


NEW = ["Chainload", "CountDown", "AssignFirst", "RunScript"]


@pytest.mark.parametrize(
    ("fleet", "snapshot", "asks", "context", "expected"),
    [
        (fleet_of(fleet=RULES), Snapshot(), ASKS, OPEN, NEW),
        (fleet_of(fleet=RULES), Snapshot.of([machine_of(MAC, arch=CpuArch.X86_64)]), ASKS, OPEN, NEW),
        (
            fleet_of(fleet=RULES),
            Snapshot.of([machine_of(MAC, arch=CpuArch.X86_64, assignment=worker("arda-01"))]),
            ASKS,
            OPEN,
            ["Chainload", "RunScript"],
        ),
        (
            fleet_of(fleet=RULES),
            Snapshot.of(
                [machine_of(MAC, arch=CpuArch.X86_64, assignment=worker("arda-01"), phase=Phase.JOINED)]
            ),
            ASKS,
            OPEN,
            ["Chainload", "BootLocal"],
        ),
        (fleet_of(fleet=RULES), Snapshot(), ASKS, replace(OPEN, window_open=False), ["Chainload", "Hold"]),
        (fleet_of(fleet=RULES), Snapshot(), ASKS, replace(OPEN, ready=frozenset()), ["Ignore"]),
        (fleet_of(fleet=RULES), Snapshot(), ASKS, replace(OPEN, ready=PROGRAMS), ["Chainload", "Hold"]),
        (fleet_of(fleet=RULES), Snapshot(), replace(ASKS, firmware=Firmware.RASPBERRY_PI), OPEN, ["Hold"]),
        (
            fleet_of(("one", MAC, "chain: local\nlocal: 404\n")),
            Snapshot(),
            ASKS,
            OPEN,
            ["BootLocal"],
        ),
        (
            fleet_of(("one", MAC, "role: worker\nchain: local\n")),
            Snapshot(),
            replace(ASKS, firmware=Firmware.IPXE),
            OPEN,
            ["AssignFirst", "BootLocal"],
        ),
    ],
    ids=[
        "new",
        "seen",
        "assigned",
        "joined",
        "window closed",
        "no program",
        "no kernel",
        "raspberry pi",
        "404",
        "ipxe",
    ],
)
def test_the_decisions_of_a_boot(
    fleet: Fleet, snapshot: Snapshot, asks: Sighting, context: Context, expected: list[str]
) -> None:
    steps = next_boot(asks, snapshot, fleet, context)
    assert plans(steps) == expected
    assert [one.given is not None for one in steps] == [plan == "AssignFirst" for plan in expected]


def test_the_first_free_name_is_previewed() -> None:
    taken = machine_of(OTHER, arch=CpuArch.X86_64, assignment=worker("arda-01"))
    steps = next_boot(ASKS, Snapshot.of([taken]), fleet_of(fleet=RULES), OPEN)
    assert [one.given and one.given.name for one in steps] == [None, None, "arda-02", None]
    assert steps[-1].decision.case.title == "arda-02"


def test_a_forgotten_machine_s_name_stays_taken() -> None:
    fleet = fleet_of(fleet=RULES)
    holders = Holders(Snapshot(), fleet, [Reservation.of(worker("arda-01"), None)])
    steps = next_boot(ASKS, Snapshot(), fleet, OPEN, holders)
    assert steps[-1].decision.case.title == "arda-02"


def test_it_is_what_the_servers_decide() -> None:
    known = machine_of(MAC, arch=CpuArch.X86_64)
    fleet, snapshot = fleet_of(fleet=RULES), Snapshot.of([known])
    firmware, countdown, *_ = (one.decision.plan for one in next_boot(ASKS, snapshot, fleet, OPEN))
    assert firmware == plan_for(ASKS, snapshot, fleet, OPEN)
    by_ipxe = replace(ASKS, firmware=Firmware.IPXE, macs=(MAC,))
    assert countdown == plan_for(by_ipxe, snapshot, fleet, OPEN)


def test_rules_ask_for_the_firmware_that_is_asked_about() -> None:
    """Not for the one that the machine was seen with."""
    snapshot = Snapshot.of([machine_of(MAC, arch=CpuArch.X86_64)])
    bios = replace(ASKS, firmware=Firmware.BIOS_PXE, platform=Platform.BIOS)
    steps = next_boot(bios, snapshot, fleet_of(fleet=RULES), OPEN)
    assert plans(steps) == ["Chainload", "Hold"]
    assert "no rule matches it" in steps[-1].decision.plan.why


def test_what_ipxe_does_not_tell_no_rule_matches() -> None:
    """The firmware has to load iPXE first, where a rule asks for what only that can tell."""
    dells = RULES.replace("[{", "[{match: {manufacturer: 'Dell*'}, intent: hold}, {")
    first, second, *_ = next_boot(ASKS, Snapshot(), fleet_of(fleet=dells), OPEN)
    assert "can be checked only after iPXE" in first.decision.plan.why
    assert plans((first, second)) == ["Chainload", "CountDown"]


def test_what_it_would_boot_if_all_files_were_there() -> None:
    fleet = fleet_of(("one", MAC, "role: worker\nchain: talos\nconfig: configs/one.yaml\n"))
    last = next_boot(ASKS, Snapshot(), fleet, replace(OPEN, ready=PROGRAMS))[-1].decision
    assert isinstance(last.plan, Hold)
    wanted = with_boot_files(last).plan
    assert isinstance(wanted, RunScript)
    assert (wanted.values["kernel"], wanted.values["initramfs"]) == (KERNEL, INITRAMFS)


def test_a_nic_that_a_file_lists_with_a_known_one_boots_as_that_machine() -> None:
    fleet = fleet_of(("one", f'{MAC}", "{OTHER}', "chain: talos\nconfig: configs/one.yaml\n"))
    snapshot = Snapshot.of([machine_of(MAC, arch=CpuArch.X86_64, phase=Phase.JOINED)])
    assert plans(next_boot(replace(ASKS, mac=OTHER), snapshot, fleet, OPEN)) == ["Chainload", "BootLocal"]
