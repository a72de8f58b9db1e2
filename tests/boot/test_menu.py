"""The chain menu: what the screen lists, and what each choice boots; and a machine's own kernel arguments."""

from datetime import UTC, datetime

import pytest
from support.fleets import CONFIGURED, READY, fleet_of
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.chains.menu import OWN
from iluvatar_pxe.boot.decide import decide
from iluvatar_pxe.boot.plan import (
    AssignFirst,
    BootLocal,
    Chainload,
    CountDown,
    Hold,
    Plan,
    RunScript,
    ServePiFiles,
    ShowMenu,
)
from iluvatar_pxe.boot.preview.asker import asking, find_asker
from iluvatar_pxe.boot.preview.next_boot import next_boot
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC = "52:54:00:77:00:01"
AT = datetime(2026, 1, 1, tzinfo=UTC)
NEW = machine_of(MAC)
GIVEN = Assignment(name="one", layer="arda", role=Role.WORKER, rule="machines/one.yaml", at=AT)
JOINED = machine_of(MAC, assignment=GIVEN, phase=Phase.JOINED)
MENU = (
    "menu: {timeout: 5, entries: [{name: Rescue, script: rescue.ipxe}, {name: Memory, script: mem.ipxe}]}\n"
)
ENTRIES = (("rescue.ipxe", "Rescue"), ("mem.ipxe", "Memory"))
WHY = "machines/one.yaml sets chain menu"


def fleet(lines: str | None = "", more: str = "") -> Fleet:
    files = {"rescue_ipxe": "#!ipxe\nboot rescue\n", "mem_ipxe": "#!ipxe\nboot mem\n"}
    machines = [] if lines is None else [("one", MAC, f"chain: menu\n{lines}")]
    ainur = "image: ubuntu\nkernelArgs: [of=layer]\n"
    return fleet_of(*machines, fleet=MENU + more, arda=CONFIGURED, ainur=ainur, **files)


def plan(of: Fleet, choice: str = "", machine: Machine = NEW, **context: bool) -> Plan:
    sighting = Sighting(mac=MAC, macs=(MAC,), firmware=Firmware.IPXE, arch=CpuArch.X86_64, choice=choice)
    return decide(sighting, snapshot_of(machine), of, Context(ready=READY, **context)).plan  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "machine", "own"),
    [
        ("", NEW, "Boot its own disk"),
        ("layer: arda\n", NEW, "Boot what layer arda boots"),
        ("role: worker\n", NEW, "Boot what layer arda boots"),
        ("role: worker\n", JOINED, "Boot its own disk"),
        (
            "role: worker\n",
            replace(JOINED, directive=Directive(Intent.REINSTALL)),
            "Boot what layer arda boots",
        ),
    ],
)
@pytest.mark.parametrize("choice", ["", "gone.ipxe", "x" * 500])
def test_the_screen_lists_what_the_fleet_offers_behind_its_own_chain(
    lines: str, machine: Machine, own: str, choice: str
) -> None:
    assert plan(fleet(lines), choice, machine) == ShowMenu(
        why=WHY, name="one", own=own, entries=ENTRIES, seconds=5
    )


@pytest.mark.parametrize("machine", [NEW, JOINED])
def test_an_entry_runs_its_script(machine: Machine) -> None:
    chosen = plan(fleet("kernelArgs: [quiet]\n"), "mem.ipxe", machine)
    assert isinstance(chosen, RunScript)
    assert chosen.values["script"] == "#!ipxe\nset kernelArgs quiet\nboot mem\n"


def test_its_own_chain_is_its_disk_unless_its_file_gives_it_a_layer() -> None:
    assert isinstance(plan(fleet(), OWN), BootLocal)
    assert isinstance(plan(fleet("layer: arda\n"), OWN), AssignFirst)
    booted = plan(fleet("role: worker\n"), OWN, machine_of(MAC, assignment=GIVEN))
    assert isinstance(booted, RunScript)
    assert booted.chain == "talos"
    assert isinstance(plan(fleet("role: worker\n"), OWN, JOINED), BootLocal)


@pytest.mark.parametrize(("intent", "kind"), [("local", BootLocal), ("hold", Hold)])
def test_an_intent_goes_before_the_menu(intent: str, kind: type[Plan]) -> None:
    assert isinstance(plan(fleet(f"intent: {intent}\n")), kind)


def test_a_machine_that_a_rule_lets_in_joins_before_it_has_a_menu() -> None:
    of = fleet(None, "rules: [{layer: arda, chain: menu}]\n")
    held = plan(of)
    assert isinstance(held, Hold)
    assert held.seconds == 30
    assert isinstance(plan(of, window_open=True), CountDown)
    assert isinstance(plan(of, machine=machine_of(MAC, assignment=GIVEN)), ShowMenu)


def test_firmware_gets_ipxe_first() -> None:
    sighting = Sighting(mac=MAC, firmware=Firmware.UEFI_PXE, platform=Platform.UEFI, arch=CpuArch.X86_64)
    assert isinstance(decide(sighting, snapshot_of(NEW), fleet(), Context(ready=READY)).plan, Chainload)


def test_a_raspberry_pi_has_no_menu() -> None:
    sighting = Sighting(mac=MAC, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64)
    given = replace(GIVEN, layer="ainur", role=Role.AGENT)
    known = snapshot_of(machine_of(MAC, assignment=given))
    held = decide(sighting, known, fleet("layer: ainur\nrole: agent\n"), Context()).plan
    assert isinstance(held, Hold)
    assert "cannot run chain menu" in held.why


def test_a_preview_goes_on_behind_the_menu() -> None:
    of = fleet("role: worker\n")
    asker = asking(find_asker("one", snapshot_of(), of))
    steps = next_boot(asker, snapshot_of(), of, Context(ready=READY))
    assert [type(step.decision.plan) for step in steps] == [Chainload, ShowMenu, AssignFirst, RunScript]


def test_a_machine_adds_arguments_to_its_layers_kernel() -> None:
    lines = "role: worker\nkernelArgs: [console=ttyS1, quiet]\n"
    of = fleet_of(
        ("one", MAC, lines), arda=CONFIGURED.replace("schematic:", "extraKernelArgs: [of=layer], schematic:")
    )
    booted = plan(of, machine=machine_of(MAC, assignment=GIVEN))
    assert isinstance(booted, RunScript)
    assert str(booted.values["kernel_args"]).endswith(" of=layer console=ttyS1 quiet")


def test_a_raspberry_pi_adds_arguments_to_its_layers() -> None:
    sighting = Sighting(mac=MAC, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64)
    files = {"vmlinuz", "start4.elf", "fixup4.dat", "bootcode.bin", "start.elf", "fixup.dat"}
    ready = frozenset(f"raspberry-pi/ubuntu/{file}" for file in files)
    of = fleet_of(
        ("one", MAC, "layer: ainur\nrole: agent\nkernelArgs: [own]\n"),
        ainur="image: ubuntu\nkernelArgs: [of=layer]\n",
    )
    given = replace(GIVEN, layer="ainur", role=Role.AGENT)
    booted = decide(sighting, snapshot_of(machine_of(MAC, assignment=given)), of, Context(ready=ready)).plan
    assert isinstance(booted, ServePiFiles)
    assert booted.kernel_args == ("of=layer", "own")
