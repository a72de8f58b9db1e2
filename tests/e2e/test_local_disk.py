"""Chain ``local`` on real firmware: the network is first in the boot order, and the disk boots, without a reboot."""

import time
from functools import partial
from pathlib import Path

import pytest
from e2e.side_by_side import at_the_same_time, mac_of, switch_on_all
from support.lab_disk import GREETING
from support.lab_machine import Machine

from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab

pytestmark = pytest.mark.firmware

BY_SCRIPT = r"m\d: booting from its own disk\."
BY_404 = r"boot-local-disk\.\.\. No such file|PXE-E23|Could not retrieve NBP file size"
Case = tuple[str, str | None]

TELLING: list[Case] = [
    ("bios", None),
    ("bios", "404"),
]
"""UEFI's disk is booted by tests/e2e/test_hold.py, too."""
REST: list[Case] = [
    ("bios", "exit"),
    ("bios", "sanboot"),
    ("uefi-x64", None),
    ("uefi-x64", "404"),
    ("uefi-x64", "exit"),
    ("uefi-x64", "sanboot"),
    ("uefi-x64-http", None),
    ("uefi-x64-http", "exit"),
    ("uefi-x64-http", "404"),
]


def test_disk_boots(current: Path, disk_lines: list[str]) -> None:
    disk_lines += boot_disks(TELLING, current)


@pytest.mark.long
@pytest.mark.parametrize("cases", [REST, TELLING], ids=["rest", "telling"])
@pytest.mark.parametrize("own_programs", [False, True], ids=["current iPXE", "installed iPXE"])
def test_disk_boots_by_every_method_and_ipxe(
    cases: list[Case], current: Path, disk_lines: list[str], *, own_programs: bool
) -> None:
    disk_lines += boot_disks(cases, None if own_programs else current)


def boot_disks(cases: list[Case], programs: Path | None) -> list[str]:
    """Boot a machine for each case, all at the same time, and say how long each took."""
    with Lab() as lab:
        server = Server(lab.network, programs)
        server.write_fleet(fleet_of(cases))
        daemon = server.start()
        machines = switch_on_all(lab, [kind for kind, _ in cases])
        lines: list[str] = []
        steps = zip(machines, cases, strict=True)
        at_the_same_time(*(partial(boot_disk, machine, case, lines) for machine, case in steps))
        assert daemon.stop() == 0, daemon.tail()
    return lines


def boot_disk(machine: Machine, case: Case, lines: list[str]) -> None:
    kind, method = case
    machine.shows(BY_404 if method == "404" else BY_SCRIPT, BOOT_SECONDS)
    told = time.time() - machine.console.started
    machine.unplug()
    machine.shows(GREETING, BOOT_SECONDS)
    booted = time.time() - machine.console.started
    lines.append(f"{kind:<14} {method or 'default':<8} told {told:5.1f} s   disk {booted:5.1f} s")


def fleet_of(cases: list[Case]) -> dict[str, bytes]:
    files = {}
    for number, (_, method) in enumerate(cases, start=1):
        lines = [f'match: {{macs: ["{mac_of(number)}"]}}', "chain: local"]
        lines += [f'local: "{method}"'] if method else []
        files[f"machines/m{number}.yaml"] = "\n".join(lines).encode() + b"\n"
    return files
