"""Chain ``local`` on real firmware: the network is first in the boot order, and the disk boots, without a reboot."""

import time
from functools import partial
from pathlib import Path

import pytest
from e2e.side_by_side import at_the_same_time, boots_disk_after, mac_of, switch_on_all

from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.lab import Lab
from iluvatar_pxe.lab.machine import Machine

pytestmark = pytest.mark.firmware

BY_SCRIPT = r"m\d: booting from its own disk\."
BY_404 = r"boot-local-disk\.\.\. No such file|PXE-E23|Could not retrieve NBP file size"
Case = tuple[str, str | None]

TELLING: list[Case] = [
    ("bios", None),
    ("bios", "exit"),
    ("bios", "404"),
    ("uefi-x64", None),
    ("uefi-x64", "404"),
    ("uefi-x64-http", None),
]
REST: list[Case] = [
    ("bios", "sanboot"),
    ("uefi-x64", "exit"),
    ("uefi-x64", "sanboot"),
    ("uefi-x64-http", "exit"),
    ("uefi-x64-http", "404"),
]


def test_disk_boots(current: Path) -> None:
    boot_disks(TELLING, current)


@pytest.mark.long
@pytest.mark.parametrize("cases", [REST, TELLING], ids=["rest", "telling"])
@pytest.mark.parametrize("own_programs", [False, True], ids=["current iPXE", "installed iPXE"])
def test_disk_boots_by_every_method_and_ipxe(cases: list[Case], current: Path, *, own_programs: bool) -> None:
    boot_disks(cases, None if own_programs else current)


def boot_disks(cases: list[Case], programs: Path | None) -> None:
    with Lab() as lab:
        server = Server(lab.network, programs)
        server.write_fleet(fleet_of(cases))
        daemon = server.start()
        machines = switch_on_all(lab, [kind for kind, _ in cases])
        at_the_same_time(
            *(partial(boot_disk, machine, case) for machine, case in zip(machines, cases, strict=True))
        )
        assert daemon.stop() == 0, daemon.tail()


def boot_disk(machine: Machine, case: Case) -> None:
    kind, method = case
    words = BY_404 if method == "404" else BY_SCRIPT
    boots_disk_after(machine, words)
    seconds = time.time() - machine.console.started
    print(f"{kind}, {method or 'default'}: disk booted {seconds:.1f} s after switching on")


def fleet_of(cases: list[Case]) -> dict[str, bytes]:
    files = {}
    for number, (_, method) in enumerate(cases, start=1):
        lines = [f'match: {{macs: ["{mac_of(number)}"]}}', "chain: local"]
        lines += [f'local: "{method}"'] if method else []
        files[f"machines/m{number}.yaml"] = "\n".join(lines).encode() + b"\n"
    return files
