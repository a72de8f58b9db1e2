"""A machine of QEMU's arm64 is installed by the daemon's own server, from an image that the daemon has taken apart.

What is not the real thing: the kernel, Debian's, and that its firmware loads it; and who may ask, since QEMU's network
shows all that it sends as this host's.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.arm64_machine import HOST, Arm64Machine, started
from support.fleets import fleet_of
from support.pi_assets import initrd
from support.pi_cluster import Cluster
from support.pi_images import MIB, needs_tools
from support.provisioning_system import kernel_modules, started_by, tools
from support.small_pi_image import runnable, whole_image
from support.web import Web, web

from iluvatar_pxe.assets.unpack.image import unpack_image
from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.boot.plan import BootLocal, ServePiFiles
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.layers.ainur.installer.layout import Installation
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Phase

MAC = "2c:cf:67:00:00:05"
FLEET = fleet_of(("ainur-01", MAC, "layer: ainur\nrole: agent\n"), ainur="image: small\n")
IN_MEMORY = fleet_of(
    ("ainur-01", MAC, "layer: ainur\nrole: agent\n"),
    ainur="image: small\nroot: {kind: memory, data: {label: data, disk: {type: ssd}}}\n",
)
DISK_SIZE = 128 * MIB
DATA_DISK_SIZE = 8200 * MIB

pytestmark = [
    needs_tools,
    pytest.mark.firmware,
    pytest.mark.long,
    pytest.mark.skipif(not shutil.which("qemu-system-aarch64"), reason="needs qemu-system-arm"),
    pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt"),
]


def put_assets(assets: Path, scratch: Path) -> None:
    """Put an image there that was taken apart, and the provisioning system's programs."""
    folder = assets / FOLDER / "small"
    for directory in (folder, scratch / "image", scratch / "unpacking"):
        directory.mkdir(parents=True)
    modules = {f"{name}.ko": content for name, content in kernel_modules().items()}
    system = runnable(tools()["bin/busybox"])
    image = whole_image(scratch / "image", {"current/initrd.img": initrd(modules)}, system)
    unpack_image(image, folder, scratch / "unpacking", lambda _done, _size: None)
    for path, content in tools().items():
        target = assets / TOOL_FILES[path]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def empty_disk(directory: Path, size: int) -> Path:
    disk = directory / "disk"
    disk.touch()
    os.truncate(disk, size)
    return disk


@contextmanager
def booted(running: Web, disk: Path, directory: Path) -> Iterator[Arm64Machine]:
    """Yield the machine, which was switched on and has what the daemon serves to it."""
    machine = running.boots(MAC, firmware=Firmware.RASPBERRY_PI)
    booter = running.booter
    plan = booter.decide(sighting_of(machine)).plan
    assert isinstance(plan, ServePiFiles)
    assert booter.provisioning
    assert booter.cloud_init
    initramfs = running.call(booter.provisioning.initramfs(plan.files[plan.initramfs]))
    url = f"http://{HOST}:{running.port}/cloud-init/{booter.cloud_init.tickets.mint(machine)}"
    with started(started_by(initramfs, directory), disk, url, directory / "console") as real:
        yield real


def test_a_system_in_memory_is_built_at_each_boot_and_its_data_is_there_again(tmp_path: Path) -> None:
    put_assets(tmp_path / "assets", tmp_path)
    disk = empty_disk(tmp_path, DATA_DISK_SIZE)
    with web(tmp_path, IN_MEMORY, cloud_init=Cluster().cloud_init) as running:
        for number in (1, 2):
            with booted(running, disk, tmp_path) as machine:
                machine.wait_for_restart()
            assert f"init: marks {number}" in machine.console
            now = running.inventory.snapshot.machine(MAC)
            assert now
            assert now.phase is not Phase.INSTALLED
            assert now.report.faults == ()


def test_a_machine_is_installed_and_boots_its_disk_from_then_on(tmp_path: Path) -> None:
    put_assets(tmp_path / "assets", tmp_path)
    disk = empty_disk(tmp_path, DISK_SIZE)
    with web(tmp_path, FLEET, cloud_init=Cluster().cloud_init) as running:
        with booted(running, disk, tmp_path) as machine:
            machine.wait_for_restart()
        now = running.inventory.snapshot.machine(MAC)
        assert now
        assert (now.phase, now.report.faults) == (Phase.INSTALLED, ())
        assert isinstance(running.booter.decide(sighting_of(now)).plan, BootLocal)
    own = Installation(MAC, 1)
    table = subprocess.run(["sfdisk", "--dump", disk], capture_output=True, text=True, check=True).stdout
    assert f"label-id: 0x{own.disk_id}" in table
    seed = subprocess.run(
        ["debugfs", "-R", "cat /var/lib/cloud/seed/nocloud/user-data", f"{disk}?offset={41 * MIB}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "hostname: ainur-01" in seed
