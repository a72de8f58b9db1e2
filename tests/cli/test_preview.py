"""``plan``, ``machines show`` and ``fleet diff`` as processes: one answer to what a machine boots next."""

import asyncio
import json
from pathlib import Path

import pytest
from support.command import Host
from support.fleets import ARDA, CONFIGURED, READY
from support.machines import machine_of
from support.pi import READY as PI_READY

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

UUID_OF_IT = "4c4c4544-0035-3310-8052-b4c04f4e4432"
TALOS, IMAGE, DISK = "boots Talos v1.13.9", "boots image ubuntu", "boots its own disk"
ANSWERS = {TALOS: "boots chain talos", IMAGE: "boots chain raspberry-pi", DISK: DISK, "is held": "waits"}
"""What ``plan`` and ``machines show`` say where ``fleet diff`` says that."""
PC, PI = "role: worker\n", "layer: ainur\nrole: agent\n"
LISTED = {
    "pc": ('macs: ["52:54:00:77:00:01"]', PC, TALOS),
    "pc-disk": ('macs: ["52:54:00:77:00:02"]', f"{PC}chain: local\n", DISK),
    "pc-serial": (f"serial: S1, uuid: {UUID_OF_IT}", PC, TALOS),
    "pi": ('macs: ["dc:a6:32:00:00:01"]', PI, IMAGE),
    "pi-serial": (f"serial: '10000001', uuid: {UUID_OF_IT}", PI, IMAGE),
    "pi-disk": ('macs: ["dc:a6:32:00:00:02"]', f"{PI}chain: local\n", DISK),
    "seen-pc": ('macs: ["52:54:00:77:00:03"]', PC, TALOS),
    "seen-joined": ('macs: ["52:54:00:77:00:04"]', PC, DISK),
    "seen-talos": ('macs: ["52:54:00:77:00:05"]', PC, TALOS),
    "seen-pi": ('macs: ["dc:a6:32:00:00:03"]', PI, IMAGE),
    "seen-pi-in-arda": ('macs: ["dc:a6:32:00:00:04"]', PC, "is held"),
}
"""Machines by name: how a file lists each, what else the file says, and what is booted by that."""
UNLISTED = {"52:54:00:77:00:09": TALOS, "52:54:00:77:00:0a": "is held"}
RULES = "rules: [{match: {firmware: 'uefi-*'}, layer: arda, role: worker}]\n"


def seen() -> list[Machine]:
    def pi(mac: str) -> Machine:
        return machine_of(mac, firmware=Firmware.RASPBERRY_PI, arch=CpuArch.ARM64)

    pcs = [machine_of(f"52:54:00:77:00:{number}", arch=CpuArch.X86_64) for number in ("03", "04", "05", "09")]
    pcs[1] = replace(pcs[1], phase=Phase.JOINED)
    pcs[2] = replace(pcs[2], firmware=Firmware.TALOS)
    bios = machine_of("52:54:00:77:00:0a", firmware=Firmware.BIOS_PXE, arch=CpuArch.X86_64)
    return [*pcs, bios, pi("dc:a6:32:00:00:03"), pi("dc:a6:32:00:00:04")]


def declare(fleet: Path, rules: str, more: str = "") -> None:
    """Write a fleet's files; ``more`` is added to each machine's."""
    files = {
        "fleet.yaml": rules,
        "layers/arda.yaml": CONFIGURED,
        "layers/ainur.yaml": "kind: k3s\nimage: ubuntu\n",
    }
    files |= {f"configs/{role}.yaml": f"machine: {{type: {role}}}\n" for role in ("controlplane", "worker")}
    files |= {
        f"machines/{name}.yaml": f"match: {{{match}}}\n{lines}{more}"
        for name, (match, lines, _) in LISTED.items()
    }
    for name, text in files.items():
        path = fleet / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    made = Host(tmp_path_factory.mktemp("host"))
    declare(made.fleet, RULES)
    made.have(*READY, *PI_READY)
    made.know(*seen())
    return made


def test_by_name_by_mac_and_for_a_commit(host: Host, tmp_path: Path) -> None:
    """In the other fleet nobody answers, so that what each boots now is told."""
    declare(tmp_path, "rules: [{intent: ignore}]\n", "intent: ignore\n")
    changes = host.run("fleet", "diff", str(tmp_path), "--json").json["changes"]
    told = {one["machine"]: one["change"] for one in changes}
    expected = {name: words for name, (*_, words) in LISTED.items()} | UNLISTED
    assert told.keys() == expected.keys()
    for name, words in expected.items():
        plan = json.loads(host.run("plan", name, "--json").output)
        last = plan["stages"][-1]
        assert f"{words}" in told[name].partition(" → gets no answer")[0]
        assert last["answer"] == ANSWERS[words], name
        if last["answer"] == "waits":
            assert f"is held: {last['why']} → gets no answer" in told[name]
        if plan["machine"]["seen"]:
            shown = host.run("machines", "show", name, "--json").json["plan"]
            assert shown == {"what": last["answer"], "why": last["why"], "steps": last["steps"]}


def test_a_name_is_the_one_that_the_daemon_gives(tmp_path: Path) -> None:
    """That of a forgotten machine stays taken."""
    host = Host(tmp_path)
    declare(host.fleet, "enrolment: {mode: join}\n" + RULES)
    host.have(*READY)
    fleet = read_fleet(host.fleet)
    place = PlaceRequest(layer="arda", role=Role.WORKER, rule="rule 1 of fleet.yaml")

    async def names() -> tuple[str, str]:
        inventory = Inventory(f"sqlite:///{host.database}")
        await inventory.open()
        new = (machine_of(f"52:54:00:77:01:0{number}", arch=CpuArch.X86_64) for number in (1, 2))
        first, second = (inventory.observe(sighting_of(one), Stage.DISCOVER) for one in new)
        await inventory.assign(first.id, place, fleet)
        await inventory.forget(first.id, "root")
        plan = json.loads((await asyncio.to_thread(host.run, "plan", second.macs[0], "--json")).output)
        given = await inventory.assign(second.id, place, fleet)
        await inventory.close()
        return plan["stages"][-2]["given"]["name"], given.title

    planned, given = asyncio.run(names())
    assert planned == given == "arda-02"


def test_the_enrolment_window_is_one(tmp_path: Path) -> None:
    """Also where none was recorded yet: the first start opens it."""
    host = Host(tmp_path / "host")
    declare(host.fleet, RULES)
    declare(tmp_path / "other", "rules: [{intent: ignore}]\n")
    host.have(*READY)
    new = machine_of("52:54:00:77:00:09", arch=CpuArch.X86_64)
    host.know(new)
    for is_open in (True, False):
        plan = json.loads(host.run("plan", new.macs[0], "--json").output)
        shown = host.run("machines", "show", new.macs[0], "--json").json["plan"]
        (change,) = host.run("fleet", "diff", str(tmp_path / "other"), "--json").json["changes"]
        assert ("the window is open" in plan["assumed"]["enrolment"]) is is_open
        assert plan["boots"] is is_open
        assert shown["what"] == ANSWERS[TALOS if is_open else "is held"]
        assert change["change"].startswith(TALOS if is_open else "is held: ")
        assert host.run("enrol", "status", "--json").json["open"] is is_open
        assert host.run("enrol", "close").status == 0


def test_what_a_change_takes_of_a_machine_that_has_joined(tmp_path: Path) -> None:
    host, mac = Host(tmp_path / "host"), "52:54:00:77:00:09"
    patch = "machine: {sysctls: {a.b: '1'}, udev: {rules: [secret]}}\n"
    for directory, line in ((host.fleet, ""), (tmp_path / "other", "patches: [patches/a.yaml]\n")):
        for folder in ("layers", "machines", "patches"):
            (directory / folder).mkdir(parents=True, exist_ok=True)
        (directory / "fleet.yaml").write_text("")
        (directory / "layers/arda.yaml").write_text(ARDA + line)
        (directory / "machines/arda-01.yaml").write_text(f"match: {{macs: ['{mac}']}}\nrole: worker\n")
        (directory / "patches/a.yaml").write_text(patch)
    host.know(machine_of(mac, phase=Phase.JOINED))
    assert host.run("fleet", "diff", str(tmp_path / "other"), "--json").json["changes"] == [
        {
            "machine": "arda-01",
            "change": "its configuration changes without a restart: machine.sysctls.a.b; with a restart: machine.udev.rules",
        }
    ]
