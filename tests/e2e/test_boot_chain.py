"""Real firmware boots from our daemon, to a system that fetches the very config that the fleet holds."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.recorded import KERNEL_TO_CONFIG, recorded_stages

from bench.lab_boot import MAC, Listed, boot, start_daemon
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.room.lab import Lab
from iluvatar_pxe.lab.system.kernel import StandIn

pytestmark = pytest.mark.firmware

CONFIG = b"version: v1alpha1\nmachine:\n  type: worker\n" + b"# the stand-in reads no further\n" * 100
OWN_PROGRAMS = Path("/usr/lib/ipxe")


@dataclass(frozen=True)
class Case:
    label: str
    firmware: str
    stages: set[str]
    own_programs: bool = False
    """This host's installed iPXE instead of a current one."""


CASES = [
    Case("bios, iPXE ROM", "bios", {"ipxe-discover"}),
    pytest.param(  # the demonstration of tests/cli/test_lab.py boots the same
        Case("uefi-x64 PXE, current iPXE", "uefi-x64", {"discover", "boot-server", "nbp"}),
        marks=pytest.mark.long,
    ),
    pytest.param(
        Case(
            "uefi-x64 PXE, Debian 12's iPXE",
            "uefi-x64",
            {"discover", "boot-server", "nbp"},
            own_programs=True,
        ),
        marks=pytest.mark.long,
    ),
    Case("uefi-x64 HTTP Boot, current iPXE", "uefi-x64-http", {"discover", "nbp"}),
    pytest.param(  # the demonstration of tests/cli/test_lab.py boots the same firmware
        Case("uefi-arm64 PXE, current iPXE", "uefi-arm64", {"discover", "boot-server", "nbp"}),
        marks=pytest.mark.long,
    ),
    pytest.param(  # HTTP Boot is that of the same firmware for x64
        Case("uefi-arm64 HTTP Boot, current iPXE", "uefi-arm64-http", {"discover", "nbp"}),
        marks=pytest.mark.long,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_machine_fetches_its_config(
    case: Case,
    system: StandIn,
    system_arm64: StandIn,
    current: Path,
    boot_rows: list[tuple[str, str, dict[str, float]]],
    tmp_path: Path,
) -> None:
    programs = None if case.own_programs else current
    if case.own_programs and current == OWN_PROGRAMS:
        pytest.skip("this host's own iPXE is a current one")
    booted = system_arm64 if firmware_named(case.firmware).architecture == "arm64" else system
    with Lab() as lab:
        daemon = start_daemon(lab.network, booted, Listed(MAC, CONFIG), programs)
        booting = boot(lab, case.firmware)
        stopped = daemon.stop()
        recorded = recorded_stages(lab, tmp_path)

    assert booting.config_sha256 == hashlib.sha256(CONFIG).hexdigest()
    assert "talos.platform=metal" in booting.command_line.split()
    assert stopped == 0, daemon.tail()
    assert case.stages | KERNEL_TO_CONFIG <= recorded, daemon.tail()
    boot_rows.append((case.label, case.firmware, booting.stages))
