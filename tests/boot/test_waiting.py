"""Nobody's machine is left waiting for ever: which holds end by themselves, and how."""

from datetime import UTC, datetime

import pytest
from support.fleets import ARDA, CONFIGURED, READY, fleet_of
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import decide
from iluvatar_pxe.boot.plan import BootLocal, Chainload, CountDown, Hold, Plan
from iluvatar_pxe.fleet.models import Fleet, LocalMethod
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Attempts, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
RULE = "rules: [{match: {mac: '52:54:00'}, layer: arda}]\n"
AT = datetime(2026, 1, 1, tzinfo=UTC)
GIVEN = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=AT)
NEW = machine_of(MAC)
FAILED = machine_of(MAC, phase=Phase.FAILED, attempts=Attempts("ipxe", starts=(AT,) * 5))


def plan(fleet: Fleet, machine: Machine | None = NEW, waited: int = 0, **context: object) -> Plan:
    sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, macs=(MAC,), arch=CpuArch.X86_64, waited=waited)
    snapshot = snapshot_of(machine) if machine else Snapshot()
    return decide(sighting, snapshot, fleet, Context(**({"ready": READY} | context))).plan  # type: ignore[arg-type]


HALF = f"{ARDA}config: {{worker: configs/worker.yaml}}\n"
STRANGERS: dict[str, tuple[str, str, Machine | None, dict[str, object]]] = {
    "no rule matches": ("", CONFIGURED, NEW, {}),
    "not seen before": ("", CONFIGURED, None, {}),
    "the window is closed": (RULE, CONFIGURED, NEW, {}),
    "boot files are missing": (RULE, CONFIGURED, NEW, {"window_open": True, "ready": frozenset()}),
    "a configuration is missing": (RULE, HALF, NEW, {"window_open": True}),
    "no name can be given": (RULE, CONFIGURED, NEW, {"no_assignment": "the database is away"}),
    "in doubt": (RULE, CONFIGURED, NEW, {"window_open": True, "doubt": "who knows"}),
    "a conflict": (RULE, CONFIGURED, machine_of(MAC, conflict="two of them"), {"window_open": True}),
    "a boot loop": (RULE, CONFIGURED, FAILED, {"window_open": True}),
    "it claims another's card": ("", CONFIGURED, machine_of(MAC, claimed=(OTHER,)), {}),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_machine_that_is_not_the_fleets_waits_and_then_boots_its_disk(name: str) -> None:
    lines, arda, machine, context = STRANGERS[name]
    fleet = fleet_of(
        ("listed", OTHER, "chain: local\n"), fleet=f"enrolment: {{wait: 60}}\n{lines}", arda=arda
    )
    for waited, left in ((0, 60), (30, 30), (59, 1)):
        held = plan(fleet, machine, waited, **context)
        assert isinstance(held, Hold)
        assert held.seconds == left
        assert held.why.endswith("; after 60 s it boots its own disk")
    for waited in (60, 61, 999_999):
        ended = plan(fleet, machine, waited, **context)
        assert isinstance(ended, BootLocal)
        assert ended.why.endswith("; it has waited for 60 s, so it boots its own disk")


def test_without_a_fleet_a_machine_waits_for_half_a_minute() -> None:
    held = plan(Fleet(), no_assignment="the repository cannot be reached")
    assert isinstance(held, Hold)
    assert held.seconds == 30


WANTED = {
    "machines hold": ("", NEW, Directive(Intent.HOLD, "anna")),
    "intent of a rule": ("rules: [{intent: hold}]\n", NEW, None),
    "chain of a rule": ("rules: [{layer: arda, chain: hold}]\n", NEW, None),
    "mode hold": (f"enrolment: {{mode: hold}}\n{RULE}", NEW, None),
}


@pytest.mark.parametrize("name", WANTED)
def test_what_the_owner_holds_is_held_for_ever(name: str) -> None:
    lines, machine, directive = WANTED[name]
    machine = replace(machine, directive=directive or machine.directive)
    held = plan(fleet_of(fleet=lines, arda=CONFIGURED), machine, 999_999, window_open=True)
    assert isinstance(held, Hold)
    assert held.seconds is None


@pytest.mark.parametrize(
    "lines", ["intent: hold\n", "chain: hold\n", "", "chain: talos\nconfig: configs/one.yaml\n"]
)
def test_a_hold_of_a_listed_machine_stays(lines: str) -> None:
    fleet = fleet_of(("one", MAC, lines), arda=CONFIGURED)
    for machine in (NEW, None):
        held = plan(fleet, machine, 999_999, no_assignment="the database is away", ready=frozenset())
        assert isinstance(held, Hold)
        assert held.seconds is None


@pytest.mark.parametrize(
    "machine",
    [
        machine_of(MAC, assignment=GIVEN),
        machine_of(MAC, assignment=GIVEN, conflict="two of them"),
        machine_of(MAC, assignment=GIVEN, phase=Phase.FAILED, attempts=Attempts("talos", starts=(AT,) * 5)),
    ],
)
def test_a_hold_of_a_machine_that_was_given_a_name_stays(machine: Machine) -> None:
    held = plan(fleet_of(arda=CONFIGURED), machine, 999_999, ready=frozenset())
    assert isinstance(held, Hold)
    assert held.seconds is None


def test_what_has_changed_meanwhile_goes_before_the_disk() -> None:
    fleet = fleet_of(fleet=RULE, arda=CONFIGURED)
    assert isinstance(plan(fleet, waited=30), BootLocal)
    assert isinstance(plan(fleet, waited=30, window_open=True), CountDown)


def test_the_rule_says_how_the_disk_is_booted() -> None:
    fleet = fleet_of(fleet=RULE.replace("layer", "local: sanboot, layer"), arda=CONFIGURED)
    ended = plan(fleet, waited=30)
    assert isinstance(ended, BootLocal)
    assert ended.method is LocalMethod.SANBOOT


@pytest.mark.parametrize("firmware", [Firmware.UEFI_PXE, Firmware.UEFI_HTTP])
def test_firmware_gets_ipxe_which_has_the_screen(firmware: Firmware) -> None:
    sighting = Sighting(mac=MAC, firmware=firmware, arch=CpuArch.X86_64, platform=Platform.UEFI)
    decision = decide(sighting, Snapshot(), fleet_of(), Context(ready=READY))
    assert isinstance(decision.plan, Chainload)
    assert decision.plan.why.endswith("after 30 s it boots its own disk")


def test_a_raspberry_pi_is_refused_at_once_and_goes_on_by_its_own_boot_order() -> None:
    sighting = Sighting(mac=MAC, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64)
    held = decide(sighting, Snapshot(), fleet_of(), Context(ready=READY)).plan
    assert isinstance(held, Hold)
    assert (held.seconds, "disk" in held.why) == (None, False)
