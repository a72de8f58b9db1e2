"""Who may join: a machine that no file lists, by the fleet's mode, the window, and what is known of the asker."""

from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from support.fleets import ARDA, KERNEL, READY, fleet_of
from support.machines import machine_of, snapshot_of
from support.plans import plan_for

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import AssignFirst, Chainload, CountDown, Hold, Ignore, Plan, RunScript
from iluvatar_pxe.fleet.models import Boot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC = "52:54:00:77:00:01"
CONFIGS = "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"
NEW = snapshot_of(machine_of(MAC))
OPEN, CLOSED = True, False


def plan(
    mode: str,
    *,
    window: bool = OPEN,
    role: str = "auto",
    doubt: str = "",
    no_assignment: str = "",
    confirmed: bool = False,
    ready: frozenset[str] = READY,
    arda: str = CONFIGS,
) -> Plan:
    rules = f"rules: [{{name: PCs, match: {{mac: '52:54:00'}}, layer: arda, role: {role}}}]\n"
    fleet = fleet_of(fleet=f"enrolment: {{mode: {mode}, countdown: 20}}\n{rules}", arda=ARDA + arda)
    context = Context(
        ready=ready, doubt=doubt, window_open=window, no_assignment=no_assignment, confirmed=confirmed
    )
    sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, arch=CpuArch.X86_64)
    return plan_for(sighting, NEW, fleet, context)


@pytest.mark.parametrize(
    ("mode", "window", "role", "admitted"),
    [
        ("window", OPEN, "auto", True),
        ("window", OPEN, "controlplane", True),
        ("window", CLOSED, "auto", False),
        ("window", CLOSED, "worker", False),
        ("join", OPEN, "controlplane", True),
        ("join", CLOSED, "auto", True),
        ("join", CLOSED, "worker", True),
        ("join", CLOSED, "controlplane", False),
        ("hold", OPEN, "auto", False),
        ("hold", CLOSED, "auto", False),
    ],
)
def test_who_is_let_in_and_who_waits(mode: str, window: bool, role: str, admitted: bool) -> None:  # noqa: FBT001
    decided = plan(mode, window=window, role=role)
    assert isinstance(decided, CountDown if admitted else Hold)
    assert isinstance(plan(mode, window=window, role=role, confirmed=True), AssignFirst if admitted else Hold)


@pytest.mark.parametrize("window", [OPEN, CLOSED])
def test_a_fleet_that_ignores_new_machines_does_not_answer_them(window: bool) -> None:  # noqa: FBT001
    why = f"no file of the fleet lists {MAC}, and fleet.yaml ignores new machines"
    assert plan("ignore", window=window) == Ignore(why)


def test_the_countdown_says_what_is_going_to_happen() -> None:
    decided = plan("window")
    assert isinstance(decided, CountDown)
    assert decided.seconds == 20
    assert "ERASE ITS DISK" in " ".join(decided.screen)
    assert "controlplane or worker" in " ".join(decided.screen)


def test_a_closed_window_tells_how_to_open_it() -> None:
    decided = plan("window", window=CLOSED)
    assert isinstance(decided, Hold)
    assert "iluvatar-pxe enrol open 30m" in " ".join(decided.screen)
    assert 'rule 1 "PCs" of fleet.yaml' in " ".join(decided.screen)


def test_outside_the_window_a_role_that_is_chosen_does_not_lead() -> None:
    decided = plan("join", window=CLOSED, confirmed=True)
    assert isinstance(decided, AssignFirst)
    place = replace(decided.place, options=Boot())
    assert place == PlaceRequest(layer="arda", may_lead=False, rule='rule 1 "PCs" of fleet.yaml')


@pytest.mark.parametrize("confirmed", [True, False])
def test_nobody_joins_in_anothers_name(confirmed: bool) -> None:  # noqa: FBT001
    decided = plan("join", doubt="it is somebody else", confirmed=confirmed)
    assert isinstance(decided, Hold)
    assert decided.unseen
    assert "it is somebody else" in decided.why


@pytest.mark.parametrize("confirmed", [True, False])
def test_nobody_joins_while_nothing_can_be_recorded(confirmed: bool) -> None:  # noqa: FBT001
    decided = plan("join", no_assignment="inventory.db: it is damaged", confirmed=confirmed)
    assert isinstance(decided, Hold)
    assert "it is damaged" in " ".join(decided.screen)


HALF = "config: {worker: configs/worker.yaml}\n"


@pytest.mark.parametrize(("ready", "arda"), [(READY - {KERNEL}, CONFIGS), (READY, HALF)])
def test_no_name_is_spent_on_a_machine_that_could_not_boot(ready: frozenset[str], arda: str) -> None:
    assert isinstance(plan("join", ready=ready, arda=arda, confirmed=True), Hold)


def test_an_assigned_machine_boots_whatever_the_window() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    given = Assignment(name="arda-07", layer="arda", role=Role.WORKER, rule="rule 1", at=at)
    fleet = fleet_of(fleet="enrolment: {mode: hold}\n", arda=ARDA + CONFIGS)
    sighting = Sighting(mac=MAC, firmware=Firmware.IPXE, arch=CpuArch.X86_64)
    decided = plan_for(sighting, snapshot_of(machine_of(MAC, assignment=given)), fleet, Context(ready=READY))
    assert isinstance(decided, RunScript)
    assert (decided.name, decided.config) == ("arda-07", "machine: {}\n")


def test_a_rule_for_a_subnet_is_waited_for_until_the_machine_has_an_address() -> None:
    """A DISCOVER comes from no address: a later rule that ignores all others must not silence the machine."""
    rules = "rules: [{match: {subnet: 10.77.0.0/24}, layer: arda}, {intent: ignore}]\n"
    fleet = fleet_of(fleet=rules, arda=ARDA + CONFIGS)
    early = Sighting(mac=MAC, firmware=Firmware.UEFI_PXE, platform=Platform.UEFI, arch=CpuArch.X86_64)
    context = Context(ready=READY, window_open=True)
    assert isinstance(plan_for(early, NEW, fleet, context), Chainload)
    asking = replace(early, firmware=Firmware.IPXE, macs=(MAC,))
    for address, kind in (("10.77.0.5", CountDown), ("10.78.0.5", Ignore)):
        assert isinstance(plan_for(replace(asking, address=IPv4Address(address)), NEW, fleet, context), kind)


@pytest.mark.parametrize("firmware", [Firmware.UEFI_PXE, Firmware.IPXE])
def test_a_rule_that_only_ipxe_can_tell_of_is_waited_for(firmware: Firmware) -> None:
    """At DHCP nobody knows the product: a later rule that ignores all others must not silence the machine."""
    rules = "rules: [{match: {product: Wanted}, layer: arda}, {intent: ignore}]\n"
    fleet = fleet_of(fleet=rules, arda=ARDA + CONFIGS)
    early = Sighting(mac=MAC, firmware=firmware, platform=Platform.UEFI, arch=CpuArch.X86_64)
    told = replace(early, firmware=Firmware.IPXE, macs=(MAC,))
    context = Context(ready=READY, window_open=True)
    assert isinstance(plan_for(early, NEW, fleet, context), Chainload | Hold)
    assert isinstance(plan_for(replace(told, product="Wanted"), NEW, fleet, context), CountDown)
    assert isinstance(plan_for(replace(told, product="Other"), NEW, fleet, context), Ignore)
