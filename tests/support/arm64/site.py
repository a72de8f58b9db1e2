"""A segment with a router and the real daemon, and one machine of QEMU's for arm64 with UEFI, a disk and no clock.

Its firmware is UEFI, which starts a kernel that a stand-in for a Raspberry Pi's firmware has loaded.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from support.arm64.firmware import DECLINED, Loaded, from_disk, loaded_in
from support.arm64.image import DebianImage
from support.k3s.segment import DOWNLOADS, note_downloads
from support.lab_machine import Machine, socket_of
from support.provisioning_system import tools
from support.switched_on import STATION, plug_in
from support.two_pis import ASSETS, HOME, Pi
from support.waiting import wait_until

from iluvatar_pxe.assets.unpack.image import unpack_image
from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.room.lab import Lab

MAC, SERIAL = "2c:cf:67:00:00:05", "00000005"
IMAGE = "debian"
DISK_SERIAL = "S-1"
SECONDS = 1800.0
"""How long a step may take under emulation on a busy host."""
FAT32 = 0x0C
"""The type of a partition."""
_K3S = Path(__file__).with_name("k3s_stand_in.py")
_ROOT = Path(__file__).parents[3]
_MACHINE = "machine"


def put_assets(assets: Path, image: DebianImage, scratch: Path) -> None:
    """Fill an empty directory with what the daemon serves: the image as it takes it apart itself, and the programs."""
    folder = assets / FOLDER / IMAGE
    for directory in (folder, scratch):
        directory.mkdir(parents=True)
    unpack_image(image.file, folder, scratch, lambda _done, _size: None)
    k3s = {name: _K3S.read_bytes() if name.endswith("k3s-arm64") else name.encode() for name in DOWNLOADS}
    for name, content in (k3s | {TOOL_FILES[path]: content for path, content in tools().items()}).items():
        (assets / name).parent.mkdir(parents=True, exist_ok=True)
        (assets / name).write_bytes(content)
    note_downloads(assets, DOWNLOADS)


class Arm64Site:
    """The machine is off at first; it may be switched on as often as it was switched off."""

    def __init__(
        self,
        lab: Lab,
        directory: Path,
        assets: Path,
        fleet: dict[str, str],
        disk_size: int,
        memory: int = 1024,
    ) -> None:
        """``assets`` are a directory of this host; ``directory`` gets the machine's disk; ``memory`` is in MiB."""
        self._lab, self._directory, self._memory = lab, directory, memory
        lab.namespace.outside(ASSETS).mkdir()
        lab.namespace.run(["mount", "--bind", str(assets), str(ASSETS)])
        self.daemon = Pi(lab.network, "pi-1", HOME, {"source": "hosted"})
        self.daemon.begin_with(fleet)
        self.daemon.start()
        self.daemon.wait()
        plug_in(lab.namespace, [MAC])
        self._plugged(in_firmware=False)
        self.disk = directory / "disk"
        self.disk.touch()
        os.truncate(self.disk, disk_size)

    def switch_on(self) -> Machine:
        """Switch it on: it boots what the daemon gives to it, or else its disk."""
        loaded = wait_until(self._load, "its firmware to find something to boot", SECONDS)
        assert loaded
        more = [
            *("-m", str(self._memory)),  # the last one counts
            *("-kernel", str(loaded.kernel), "-initrd", str(loaded.initramfs), "-append", loaded.arguments),
            *("-drive", f"if=none,id=disk,format=raw,cache=unsafe,file={self.disk}"),
            *("-device", f"virtio-blk-pci,drive=disk,serial={DISK_SERIAL}", "-rtc", "base=1970-01-02"),
            *("-qmp", f"unix:{socket_of(_MACHINE)},server=on,wait=off"),
        ]
        console = start_guest(self._lab.network, firmware_named("uefi-arm64"), MAC, _MACHINE, more)
        return Machine(_MACHINE, console, self._lab.namespace)

    def daemon_says(self, pattern: str) -> None:
        """Wait until the daemon's log has it."""
        assert self.daemon.daemon
        self.daemon.daemon.wait_for(pattern, SECONDS)

    def shown(self) -> dict[str, Any]:
        """Return what ``machines show`` says of it."""
        found: dict[str, Any] = json.loads(self.daemon.command("machines", "show", MAC, "--json"))
        return found

    @property
    def starts(self) -> bool:
        """Say whether firmware finds a FAT partition to boot on its disk."""
        with self.disk.open("rb") as file:
            return file.read(512)[450] == FAT32

    def _load(self) -> Loaded | None:
        """Return what its firmware loads in one round of its boot order."""
        place = self._directory / "loaded"
        shutil.rmtree(place, ignore_errors=True)
        self._plugged(in_firmware=True)
        address = "10.77.0.100"
        command = (sys.executable, "-m", "support.arm64.firmware", MAC, "m0", address, SERIAL, str(place))
        environment = {**os.environ, "PYTHONPATH": f"{_ROOT}:{_ROOT / 'tests'}"}
        asks = self._lab.namespace.start("firmware", command, network=STATION, environment=environment)
        status = asks.wait(SECONDS)
        self._plugged(in_firmware=False)
        if status == DECLINED:
            return from_disk(self.disk, place) if self.starts else None
        assert status == 0, asks.tail()
        return loaded_in(place)

    def _plugged(self, *, in_firmware: bool) -> None:
        """Have the cable lead to the stand-in for its firmware, or to its system."""
        state = "up" if in_firmware else "down"
        self._lab.namespace.run(["ip", "link", "set", "m0", state], network=STATION)
