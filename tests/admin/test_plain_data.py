"""Machines and plans as plain data: the same words for one plan, and nothing that JSON cannot hold."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from support.fleets import ARDA, CONFIGURED, READY, fleet_of
from support.machines import machine_of
from support.templates import IPXE, PI_TEXTS

from iluvatar_pxe.admin.data import Data, in_order
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.admin.hardware import hardware_data
from iluvatar_pxe.admin.machine_details import machine_details
from iluvatar_pxe.admin.plans import Server, plan_data, plan_summary
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.boot.preview.next_boot import PreviewStep, next_boot
from iluvatar_pxe.inventory.database.history import BootRecord
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.inspection import Disk, Inspection, Nic
from iluvatar_pxe.machines.model import BootEvent, Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.states import Assignment, Phase, Role
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MAC = "52:54:00:77:00:01"
AT = datetime(2026, 1, 1, tzinfo=UTC)
LINKS = Links(IPv4Address("192.0.2.1"), 80)
MACHINE = machine_of(MAC, arch=CpuArch.X86_64)
HELD, DISK, TALOS = (
    fleet_of(("it", MAC, f"role: worker\n{lines}"), arda=CONFIGURED)
    for lines in ("intent: hold\n", "chain: local\n", "")
)
RULES = fleet_of(fleet="rules: [{layer: arda, role: worker}]\nenrolment: {mode: join}\n", arda=CONFIGURED)
FLEETS = {"waits": HELD, "boots its own disk": DISK, "boots chain talos": TALOS}


def steps(machine: Machine, name: str) -> tuple[PreviewStep, ...]:
    context = Context(ready=READY)
    return next_boot(asking(sighting_of(machine)), Snapshot.of([machine]), FLEETS[name], context)


def size_of(name: str) -> int | None:
    return 1 << 20 if name in READY else None


AROUND = Surroundings(here=LINKS.address, network=IPv4Network("192.0.2.0/24"))
SERVER = Server(LINKS, size_of, IPXE, PI_TEXTS, AROUND)


@pytest.mark.parametrize("words", FLEETS)
def test_one_plan_in_both_shapes(words: str) -> None:
    boot = steps(MACHINE, words)
    data, summary = plan_data(boot, SERVER), plan_summary(boot[-1].decision)
    last = data["stages"][-1]
    assert summary == {"what": words, "why": last["why"], "steps": last["steps"]}
    assert last["answer"] == words
    assert data["boots"] is (words != "waits")
    assert json.loads(json.dumps(data)) == data


def test_a_countdown_and_a_place_are_put_into_words() -> None:
    boot = next_boot(asking(sighting_of(MACHINE)), Snapshot.of([MACHINE]), RULES, Context(ready=READY))
    answers = [one["answer"] for one in plan_data(boot, SERVER)["stages"]]
    assert answers[0].startswith("runs ")
    assert answers[1].startswith("counts down ")
    assert answers[2:] == ["gets its place, then boots", "boots chain talos"]


def plan_of(arda: str, machine: Machine = MACHINE) -> Data:
    """Return the plan of the machine in a layer without configurations of its own."""
    fleet = fleet_of(("it", MAC, "role: worker\n"), arda=arda)
    return plan_data(
        next_boot(asking(sighting_of(machine)), Snapshot.of([machine]), fleet, Context(ready=READY)), SERVER
    )


def test_a_configuration_that_the_daemon_makes_is_shown_without_secrets() -> None:
    plan = plan_of(ARDA)
    config = plan["config"]

    assert plan["stages"][-1]["why"].endswith(", with a configuration that the daemon makes")
    assert config["file"] is None
    lines = [line.strip() for line in config["text"].splitlines()]
    assert {"hostname: it", "type: worker", "token: (masked)"} <= set(lines)
    assert config["bytes"] == len(config["text"])


@pytest.mark.parametrize(
    ("named", "line"), [({"serial": "S1"}, "serial: S1"), ({"bus_path": "/pci0/1"}, "busPath: /pci0/1")]
)
def test_a_configuration_is_shown_with_the_disk_that_is_chosen(named: dict[str, Any], line: str) -> None:
    disk = Disk(path="/dev/sda", size=10**12, **named)
    machine = replace(MACHINE, inspection=Inspection(at=AT, boot=MACHINE.generation, disks=(disk,)))
    text = plan_of(ARDA, machine)["config"]["text"]
    assert line in [one.strip() for one in text.splitlines()]


def test_a_configuration_that_cannot_be_made_says_why() -> None:
    text = plan_of(f"{ARDA}vip: 10.0.0.9\n")["config"]["text"]
    assert text.startswith("cannot be made: layers/arda.yaml: vip 10.0.0.9 is no address of 192.0.2.0/24")


def test_everything_about_a_machine() -> None:
    def boot(number: int, *events: BootEvent) -> BootRecord:
        return BootRecord(number, AT + timedelta(hours=number), Stage.NBP, events)

    event = BootEvent(machine_id=MACHINE.id, generation=2, at=AT, stage=Happening.CHANGED, detail="hold")
    following = steps(MACHINE, "waits")[-1].decision
    page = machine_details(MACHINE, HELD, following, [boot(2, event), boot(1)])
    assert page.items() > describe(MACHINE, HELD).items()
    assert page["plan"] == plan_summary(following)
    assert page["cluster_waits"] is None
    assert (
        machine_details(MACHINE, HELD, following, [], {"it": "arda waits"})["cluster_waits"] == "arda waits"
    )
    assert [one["boot"] for one in page["last_boots"]] == [1, 2], "as they happened"
    assert page["last_boots"][1] == {
        "boot": 2,
        "started_at": "2026-01-01T02:00:00.000Z",
        "reached": Stage.NBP.label,
        "events": [
            {
                "at": "2026-01-01T00:00:00.000Z",
                "stage": Happening.CHANGED.value,
                "detail": "hold",
                "cause": None,
                "bytes": event.bytes,
                "milliseconds": event.milliseconds,
            }
        ],
    }
    assert json.loads(json.dumps(page)) == page


def test_the_hardware_says_which_disk_is_chosen_and_why() -> None:
    small, full = (
        Disk(path="/dev/sdb", size=120 * 10**9, serial="S2"),
        Disk(path="/dev/sda", size=10**12, serial="S1"),
    )
    stick = Disk(path="/dev/sdc", size=32 * 10**9, serial="S3", transport="usb")
    read = Inspection(at=AT, boot=1, disks=(full, small, stick), nics=(Nic(name="eno1", mac=MAC),))
    machine, fleet = replace(MACHINE, inspection=read), fleet_of(("it", MAC, "role: worker\n"))
    data = hardware_data(machine, fleet)
    assert data["disk"] == "/dev/sdb is chosen: the smallest disk that is an SSD or NVMe and not removable"
    assert [(one["path"], one["chosen"], one["why_not"]) for one in data["disks"]] == [
        ("/dev/sda", False, None),
        ("/dev/sdb", True, None),
        ("/dev/sdc", False, "is attached by usb, and used only if its machine's file names it (serial: S3)"),
    ]
    assert data["nics"] == [{"name": "eno1", "mac": MAC, "driver": "", "up": False, "mbit": 0}]
    installed = replace(machine, phase=Phase.JOINED, inspection=replace(read, given=small.identity))
    assert (
        hardware_data(installed, fleet)["disk"]
        == "/dev/sdb is chosen: it was told to install its system there"
    )
    held = replace(machine, inspection=replace(read, problem="it is off; switch it on"))
    assert hardware_data(held, fleet)["disk"] == "it is off; switch it on"
    assert hardware_data(MACHINE, fleet) == {"disk": None, "disks": None, "nics": None}
    assert json.loads(json.dumps(data)) == data


def test_machines_are_listed_by_name_and_then_by_mac() -> None:
    place = Assignment(name="arda-01", layer="arda", role=Role.WORKER, rule="", at=AT)
    passing = machine_of("52:54:00:00:00:01")
    second, first = (machine_of(f"52:54:00:00:00:0{number}", furthest=Stage.SCRIPT) for number in (3, 2))
    named = machine_of("52:54:00:00:00:04", assignment=place)
    data = [describe(one, fleet_of()) for one in (passing, second, named, first)]
    assert [one["macs"][0][-1] for one in in_order(data, every=False)] == ["4", "2", "3"]
    assert [one["macs"][0][-1] for one in in_order(data, every=True)] == ["4", "1", "2", "3"]
