"""Below ``/cloud-init/TICKET``: what a machine that runs the provisioning system is told to do, and what it reports."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.fleets import fleet_of
from support.pi_assets import installable
from support.pi_cluster import Cluster
from support.web import Response, Web, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.admin.edits import reinstalled
from iluvatar_pxe.admin.hardware import hardware_data
from iluvatar_pxe.boot.plan import Hold, ServePiFiles
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.layers.ainur.installer.layout import Installation
from iluvatar_pxe.layers.arda.install import held_machines
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Intent, Phase, Wipe

MAC, OTHER = "2c:cf:67:00:00:05", "2c:cf:67:00:00:06"
FLEET = fleet_of(
    ("ainur-01", MAC, "layer: ainur\nrole: server\n"), ainur="image: ubuntu\nconfigTxt: [gpu_mem=16]\n"
)
EMPTY = "disk\tname=nvme0n1\tsize=500000000000\tsector=512\tserial=S1\ttransport=nvme"
FULL = f"{EMPTY}\ttable=gpt\ttable-id=x\nvolume\tdisk=nvme0n1\tname=nvme0n1p1\tnumber=1\tsize=9\ttype=xfs\tlabel=photos"
CARD = "disk\tname=mmcblk0\tsize=64000000000\tsector=512\tserial=0x1\ttransport=mmc"


@dataclass
class Site:
    """A server, and the Pi that asks it."""

    web: Web
    ticket: str = ""

    def boot(self) -> None:
        machine = self.web.boots(MAC, firmware=Firmware.RASPBERRY_PI)
        assert self.web.booter.cloud_init
        self.ticket = self.web.booter.cloud_init.tickets.mint(machine)

    def fetch_files(self) -> None:
        """Let the Pi get its place, and its boot files by TFTP."""

        async def served() -> None:
            booter = self.web.booter
            decision = await booter.settle(sighting_of(self.machine), "")
            assert isinstance(decision.plan, ServePiFiles)
            booter.journal.served(decision, Stage.SCRIPT, "config.txt")

        self.web.call(served())

    @property
    def machine(self) -> Machine:
        found = self.web.inventory.snapshot.machine(MAC)
        assert found
        return found

    def post(self, name: str, text: str) -> Response:
        return self.web.post(f"/cloud-init/{self.ticket}/{name}", text.encode())

    def report(self, *lines: str) -> None:
        assert self.post("hardware", "\n".join(("iluvatar-hardware 1", *lines))).status == 200

    def plan(self) -> list[str]:
        response = self.web.get(f"/cloud-init/{self.ticket}/install")
        assert response.status == 200, response.text
        first, *lines, last = response.text.splitlines()
        assert (first, last) == ("iluvatar-install 1", "end")
        return lines

    @property
    def shown(self) -> dict[str, Any]:
        return hardware_data(self.machine, FLEET)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    with web(tmp_path, FLEET, cloud_init=Cluster().cloud_init) as running:
        for name, content in installable("ubuntu").items():
            path = running.assets / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        running.call(running.store.refresh())
        site = Site(running)
        site.boot()
        yield site


def test_a_pi_starts_the_provisioning_system_once_all_of_it_is_here(site: Site) -> None:
    def served() -> object:
        return site.web.booter.decide(sighting_of(site.machine)).plan

    plan = served()
    assert isinstance(plan, ServePiFiles)
    assert plan.installs
    assert site.web.booter.provisioning
    initrd = site.web.call(site.web.booter.provisioning.initramfs(plan.files["initrd.img"]))
    assert initrd == site.web.call(site.web.booter.provisioning.initramfs(plan.files["initrd.img"]))
    (site.web.assets / TOOL_FILES["bin/busybox"]).unlink()
    site.web.call(site.web.store.refresh())
    held = served()
    assert isinstance(held, Hold)
    assert held.lack
    assert held.lack.file == "provisioning-system/bin/busybox"


def test_an_empty_disk_is_installed_and_machines_show_tells_how_far_it_is(site: Site) -> None:
    assert site.plan() == ["wait 1 its disks have not been reported since this daemon was started"]
    site.report(EMPTY)
    plan = dict(line.split(" ", 1) for line in site.plan())
    own = Installation(MAC, site.machine.generation)
    assert plan["disk"] == "/dev/nvme0n1"
    assert plan["root"] == f"PARTUUID={own.disk_id}-02"
    assert plan["part"].endswith("zst 99 " + "ab" * 32 + " /assets/raspberry-pi/ubuntu/root.img.zst")
    lines = site.plan()
    assert "kernel-argument cgroup_enable=memory" in lines
    assert lines.index("config-line dtparam=pciex1") < lines.index("config-line gpu_mem=16")
    assert site.shown["disk"] == "/dev/nvme0n1 is chosen: its system is installed there"
    site.web.get(f"/cloud-init/{site.ticket}/user-data")
    for step, stage in (
        ("erase", Stage.INSTALLING),
        ("write\npercent 4", Stage.INSTALLING),
        ("done", Stage.INSTALLED),
    ):
        assert site.post("progress", f"step {step}\n").status == 200
        assert site.machine.reached is stage
    assert site.machine.phase is Phase.INSTALLED
    assert site.plan() == ["restart now"], "it boots its disk"


def test_an_installation_that_was_interrupted_has_the_same_names_in_the_next_boot(site: Site) -> None:
    site.report(EMPTY)
    before = site.plan()
    site.web.get(f"/cloud-init/{site.ticket}/user-data")
    site.post("progress", "step erase\n")
    site.boot()
    assert site.machine.generation == 2
    own = Installation(MAC, 1)
    site.report(f"{EMPTY}\ttable=dos\ttable-id={own.disk_id}")
    assert site.plan() == before


def test_what_holds_it_is_shown_and_nothing_is_erased(site: Site) -> None:
    for disk, reason in (
        (FULL, "/dev/nvme0n1 is not empty: 1 partition (xfs photos)"),
        (CARD, "none of its disks fits: /dev/mmcblk0 is a SD card or eMMC"),
    ):
        site.report(*disk.splitlines())
        (line,) = site.plan()
        assert line.startswith(f"wait 15 {reason}")
        assert site.shown["disk"].startswith(reason)
        assert held_machines(site.web.inventory.snapshot, FLEET).keys() == {"ainur-01"}
    site.report(EMPTY)
    assert site.plan()[0] == "disk /dev/nvme0n1"
    assert held_machines(site.web.inventory.snapshot, FLEET) == {}


IN_MEMORY = fleet_of(
    (
        "ainur-01",
        MAC,
        "layer: ainur\nrole: server\nroot: {kind: memory, data: {label: data, disk: {serial: S1}}}\n",
    ),
    ainur="image: ubuntu\n",
)
MEMORY = "memory\tsize=8000000000"


def test_a_root_in_memory_is_planned_and_what_lasts_is_made_once(site: Site) -> None:
    site.web.booter.applied.fleet = IN_MEMORY
    site.report(MEMORY, EMPTY)
    words = [line.split(" ")[0] for line in site.plan()]
    assert words == [
        *("data-disk", "data-disk-size", "data-label", "data-offset", "data-blocks", *["data-write"] * 3),
        *("memory", "part", "root-uuid"),
    ]
    plan = dict(line.split(" ", 1) for line in site.plan())
    assert (plan["data-disk"], plan["data-label"]) == ("/dev/nvme0n1", "data")
    assert 0 < int(plan["memory"]) <= 6_000_000_000
    assert plan["part"].endswith(" /assets/raspberry-pi/ubuntu/root.img.zst")
    site.post("progress", "step start\n")
    assert site.machine.phase is not Phase.INSTALLED
    site.report(MEMORY, *FULL.replace("label=photos", "label=data").splitlines())
    assert [line.split(" ")[0] for line in site.plan()] == ["memory", "part", "root-uuid"]
    shown = hardware_data(site.machine, IN_MEMORY)
    assert shown["disk"] == "none is chosen: its system is in memory"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([EMPTY], "its memory of 0 MiB is too little for this image, which needs 43 MiB"),
        ([MEMORY, *FULL.splitlines()], "no file system has the label data, and no empty disk fits 'data.disk': /dev/nvme0n1 is not empty"),
        ([MEMORY, CARD], "no file system has the label data, and no empty disk fits 'data.disk': /dev/mmcblk0 is not the one that is named"),
    ],
)  # fmt: skip
def test_what_keeps_a_root_in_memory_from_being_built_is_shown(
    site: Site, lines: list[str], reason: str
) -> None:
    site.web.booter.applied.fleet = IN_MEMORY
    site.report(*lines)
    (line,) = site.plan()
    assert line.startswith(f"wait 15 {reason}")
    assert hardware_data(site.machine, IN_MEMORY)["disk"].startswith(reason)


def test_disks_are_shown_by_what_the_fleet_says_of_the_root(site: Site) -> None:
    on_card = fleet_of(
        ("ainur-01", MAC, "layer: ainur\nrole: agent\n"),
        ainur="image: ubuntu\nk3s: {etcdOnCard: true}\nroot: {disk: {type: mmc}}\n",
    )
    site.report(EMPTY, CARD)
    assert {one["path"]: one["why_not"] for one in hardware_data(site.machine, on_card)["disks"]} == {
        "/dev/nvme0n1": "is a NVMe",
        "/dev/mmcblk0": None,
    }


def test_an_image_of_an_older_version_is_named(site: Site) -> None:
    site.web.put("raspberry-pi/ubuntu/facts.json", b"{}")
    site.report(EMPTY)
    (line,) = site.plan()
    assert line.startswith("wait 15 raspberry-pi/ubuntu: was unpacked by an older version; remove its folder")


def test_a_fault_is_recorded_in_the_machine_s_own_words(site: Site) -> None:
    assert site.post("progress", "step write\nfault the disk cannot be written\n").status == 200
    assert site.machine.report.faults == ("write: the disk cannot be written",)
    site.post("progress", f"fault http://10.0.0.2/cloud-init/{site.ticket} is away\n")
    assert site.machine.report.faults[-1].endswith("http://10.0.0.2/cloud-init/TICKET is away")


def test_another_machine_s_words_and_what_is_no_report_are_refused(site: Site) -> None:
    for name in ("hardware", "progress"):
        assert site.post(name, "nonsense").status == 400
        assert site.post(name, "x" * 100_000).status == 413
    site.web.boots(OTHER, firmware=Firmware.RASPBERRY_PI)
    assert site.post("hardware", f"iluvatar-hardware 1\n{EMPTY}").status == 403
    assert site.post("progress", "step done\n").status == 403
    assert site.machine.phase is not Phase.INSTALLED


def earlier_system() -> str:
    """Return a disk with a complete system of the Pi that another daemon has installed."""
    volume = "\nvolume\tdisk=nvme0n1\tname=nvme0n1p{0}\tnumber={0}\tsize=9\ttype=ext4\tuuid=u-{0}"
    table = f"\ttable=dos\ttable-id={Installation(MAC, 1).disk_id}"
    return f"{EMPTY}{table}{volume.format(1)}{volume.format(2)}"


def test_a_system_that_another_daemon_installed_stays_however_often_the_plan_is_asked_for(site: Site) -> None:
    for _ in range(3):
        site.report(*earlier_system().splitlines())
        assert site.plan() == ["restart complete"]


def test_a_pi_that_waited_for_long_gets_its_documents_when_its_disk_is_named(site: Site) -> None:
    site.report(*FULL.splitlines())
    for _ in range(30):
        site.web.now += 3600
        assert site.plan()[0].startswith("wait 15")
    site.report(EMPTY)
    assert site.plan()[0] == "disk /dev/nvme0n1"
    assert site.web.get(f"/cloud-init/{site.ticket}/user-data").status == 200


def test_a_system_that_another_daemon_installed_is_erased_once_that_is_wanted(site: Site) -> None:
    site.report(*earlier_system().splitlines())
    assert site.plan() == ["restart complete"]
    site.post("progress", "step done\n")
    assert site.shown["disk"] == "none is chosen: its system was there already"
    site.web.call(
        site.web.inventory.change(
            site.machine.id, reinstalled("ann", Wipe.NO), Happening.CHANGED, "reinstall", "ann"
        )
    )
    site.boot()
    site.fetch_files()
    for _ in range(2):
        site.report(*earlier_system().splitlines())
        assert site.plan()[0] == "disk /dev/nvme0n1"
        site.web.get(f"/cloud-init/{site.ticket}/user-data")
        assert site.machine.directive.intent is Intent.BOOT


def test_a_pi_that_is_to_boot_its_own_disk_while_it_waits_is_not_taken_for_installed(site: Site) -> None:
    site.fetch_files()
    site.report(*FULL.splitlines())
    assert site.plan()[0].startswith("wait 15")
    site.web.booter.applied.fleet = fleet_of(
        ("ainur-01", MAC, "layer: ainur\nrole: server\nintent: local\n"), ainur="image: ubuntu\n"
    )
    assert site.plan() == ["restart now"], "it does not tell that it is complete"
