"""What goes before a machine's chain: conflicts, directives, failures, what was installed; and what keeps secrets in."""

from datetime import UTC, datetime

import pytest
from support.fleets import ARDA, READY, fleet_of, talos
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.chains.menu import OWN
from iluvatar_pxe.boot.decide import Decision, decide
from iluvatar_pxe.boot.plan import AssignFirst, BootLocal, Hold, Ignore, Plan, RunScript, ShowMenu
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Attempts, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
AT = datetime(2026, 1, 1, tzinfo=UTC)
ONE = Assignment(name="one", layer="arda", role=Role.WORKER, rule="machines/one.yaml", at=AT)
CONFIGS = "config: {controlplane: configs/one.yaml, worker: configs/one.yaml}\n"


def decided(machine: Machine, lines: str = "", **context: str) -> Decision:
    file = talos("one", MAC) if lines == "talos" else ("one", MAC, lines)
    fleet = fleet_of(file, arda=ARDA + CONFIGS)
    sighting = Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, arch=CpuArch.X86_64)
    return decide(sighting, snapshot_of(machine), fleet, Context(ready=READY, **context))  # type: ignore[arg-type]


def plan(machine: Machine, lines: str = "", **context: str) -> Plan:
    return decided(machine, lines, **context).plan


def test_where_it_is_not_clear_who_it_is_nothing_is_done_to_it() -> None:
    why = "52:54:00:77:00:01 was seen with UUID 2 instead of 1"
    held = plan(machine_of(MAC, assignment=ONE, conflict=why))
    assert isinstance(held, Hold)
    assert held.why == why
    assert "iluvatar-pxe machines release one" in " ".join(held.screen)


def test_where_it_is_not_clear_who_it_is_a_joined_one_boots_its_disk() -> None:
    booted = plan(machine_of(MAC, assignment=ONE, conflict="two of them", phase=Phase.JOINED))
    assert isinstance(booted, BootLocal)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [("intent: local\n", BootLocal), ("intent: ignore\n", Ignore), ("chain: local\n", BootLocal)],
)
def test_to_boot_its_own_disk_it_need_not_be_clear_who_it_is(lines: str, kind: type[Plan]) -> None:
    assert isinstance(plan(machine_of(MAC, conflict="a new mainboard"), lines), kind)


@pytest.mark.parametrize(("intent", "kind"), [(Intent.LOCAL, BootLocal), (Intent.IGNORE, Ignore)])
def test_what_was_set_by_hand_needs_no_identity_either(intent: Intent, kind: type[Plan]) -> None:
    unclear = machine_of(MAC, conflict="a new mainboard", directive=Directive(intent, "anna"))
    assert isinstance(plan(unclear), kind)


def test_a_machine_of_two_files_that_differ_is_held() -> None:
    files = (("one", MAC, "intent: local\n"), ("two", OTHER, "chain: local\n"))
    sighting = Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, arch=CpuArch.X86_64)
    machine = machine_of(MAC, OTHER)
    assert isinstance(
        decide(sighting, snapshot_of(machine), fleet_of(*files), Context(ready=READY)).plan, Hold
    )


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ("chain: ipxe\nscript: rescue.ipxe\n", RunScript),
        ("chain: local\n", BootLocal),
        ("chain: menu\nlayer: arda\n", ShowMenu),
    ],
)
def test_a_boot_loop_keeps_nobody_from_a_script_its_disk_or_the_menu(lines: str, kind: type[Plan]) -> None:
    menu = "menu: {entries: [{name: Rescue, script: rescue.ipxe}]}\n"
    fleet = fleet_of(("one", MAC, lines), fleet=menu, arda=ARDA + CONFIGS, rescue_ipxe="#!ipxe\nexit\n")
    sighting = Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, arch=CpuArch.X86_64)
    machine = machine_of(MAC, phase=Phase.FAILED, attempts=Attempts("talos", starts=(AT,) * 5))
    assert isinstance(decide(sighting, snapshot_of(machine), fleet, Context(ready=READY)).plan, kind)
    if kind is ShowMenu:
        own = replace(sighting, choice=OWN)
        assert isinstance(decide(own, snapshot_of(machine), fleet, Context(ready=READY)).plan, Hold)


@pytest.mark.parametrize(
    ("intent", "kind"), [(Intent.HOLD, Hold), (Intent.LOCAL, BootLocal), (Intent.IGNORE, Ignore)]
)
def test_what_somebody_wants_goes_before_the_chain(intent: Intent, kind: type[Plan]) -> None:
    wanted = plan(machine_of(MAC, assignment=ONE, directive=Directive(intent, "anna", "it smells burnt")))
    assert isinstance(wanted, kind)
    assert wanted.why == f"anna requested {intent}: it smells burnt"


def test_what_the_file_declares_goes_before_what_somebody_wants() -> None:
    wished = machine_of(MAC, assignment=ONE, directive=Directive(Intent.LOCAL, "anna", ""))
    declared = plan(wished, "intent: hold\n")
    assert isinstance(declared, Hold)
    assert declared.why == "machines/one.yaml sets intent hold"


def test_a_machine_that_goes_round_in_circles_is_held_with_the_reason() -> None:
    attempts = Attempts("talos", Stage.CONFIG, (AT,) * 5, 5)
    held = plan(machine_of(MAC, assignment=ONE, phase=Phase.FAILED, attempts=attempts))
    assert isinstance(held, Hold)
    assert held.why == "Boot loop detected: talos booted 5 times within an hour, never past 'config'"
    assert "iluvatar-pxe machines release one" in " ".join(held.screen)


@pytest.mark.parametrize("phase", [Phase.INSTALLED, Phase.JOINED])
def test_an_installed_machine_boots_its_disk_until_somebody_wants_it_installed_again(phase: Phase) -> None:
    assert isinstance(plan(machine_of(MAC, assignment=ONE, phase=phase)), BootLocal)
    again = machine_of(MAC, assignment=ONE, phase=phase, directive=Directive(Intent.REINSTALL, "anna", ""))
    assert isinstance(plan(again), RunScript)


def test_a_machine_that_fetched_its_configuration_and_reported_no_install_boots_its_chain_again() -> None:
    assert isinstance(plan(machine_of(MAC, assignment=ONE, phase=Phase.INSTALLING)), RunScript)


def test_a_listed_machine_is_put_on_record_first() -> None:
    place = PlaceRequest(layer="arda", name="one", rule="machines/one.yaml")
    assert plan(machine_of(MAC)) == AssignFirst(why="machines/one.yaml lists it", name="one", place=place)
    assert isinstance(plan(machine_of(MAC, assignment=ONE)), RunScript)


def test_a_machine_that_its_file_moved_is_put_on_record_again() -> None:
    moved = plan(machine_of(MAC, assignment=ONE), "role: controlplane\n")
    assert isinstance(moved, AssignFirst)
    assert moved.place.role is Role.CONTROLPLANE


@pytest.mark.parametrize("phase", [Phase.INSTALLING, Phase.JOINED])
def test_an_installed_machine_keeps_its_role_until_it_is_installed_again(phase: Phase) -> None:
    installed = machine_of(MAC, assignment=ONE, phase=phase)
    assert not isinstance(plan(installed, "role: controlplane\n"), AssignFirst)
    again = machine_of(MAC, assignment=ONE, phase=phase, directive=Directive(Intent.REINSTALL, "anna", ""))
    assert isinstance(plan(again, "role: controlplane\n"), AssignFirst)


@pytest.mark.parametrize("trouble", [{"no_assignment": "the database is damaged"}, {"doubt": "who knows"}])
def test_a_role_that_is_to_be_chosen_waits_for_the_record(trouble: dict[str, str]) -> None:
    assert isinstance(plan(machine_of(MAC), **trouble), Hold)


def test_a_listed_machine_whose_file_says_all_boots_without_a_record() -> None:
    assert isinstance(plan(machine_of(MAC), "talos", no_assignment="the database is damaged"), RunScript)


@pytest.mark.parametrize("lines", ["talos", ""])
def test_no_configuration_goes_to_somebody_in_doubt(lines: str) -> None:
    held = plan(machine_of(MAC, assignment=ONE), lines, doubt="10.0.0.9 is another's")
    assert isinstance(held, Hold)
    assert held.unseen
    assert "10.0.0.9 is another's" in " ".join(held.screen)


def test_a_pi_behind_a_relay_is_not_offered_what_it_could_not_fetch() -> None:
    asks = Sighting(mac=MAC, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64, routed=True)
    found = decide(asks, snapshot_of(machine_of(MAC)), fleet_of(), Context(ready=READY)).plan
    assert isinstance(found, Ignore)
    assert found.notable
    assert "behind a relay" in found.why


@pytest.mark.parametrize(("lines", "kind"), [("chain: local\n", BootLocal), ("chain: hold\n", Hold)])
def test_what_holds_no_secret_is_told_to_anybody(lines: str, kind: type[Plan]) -> None:
    told = plan(machine_of(MAC, assignment=ONE), lines, doubt="10.0.0.9 is another's")
    assert isinstance(told, kind)
    assert not (isinstance(told, Hold) and told.unseen)


def test_every_step_says_what_it_found() -> None:
    findings = dict(decided(machine_of(MAC, assignment=ONE)).findings)
    assert findings == {
        "request": "asks for a boot: ipxe on x86_64",
        "identity": f"known by {MAC}",
        "intent": "no override",
        "attempts": "no boot loop",
        "menu": "no menu",
        "joined": "has not joined yet",
        "place": "listed by machines/one.yaml: layer arda",
        "assignment": "recorded as one, worker of arda",
        "chain": "machines/one.yaml assigns it to layer arda, Talos v1.13.9",
    }


def test_while_nothing_of_the_fleet_is_known_the_screen_says_why() -> None:
    """A first start whose repository cannot be reached."""
    snapshot = snapshot_of(machine_of(MAC))
    context = Context(ready=READY, no_assignment="https://forge/x.git: cannot be fetched")
    held = decide(Sighting(mac=MAC, firmware=Firmware.IPXE, macs=(MAC,)), snapshot, Fleet(), context).plan
    assert isinstance(held, Hold)
    assert held.screen == ("https://forge/x.git: cannot be fetched.",)
