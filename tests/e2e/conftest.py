"""What the end-to-end tests share: the lab's parts, and the table of stages at the end of the run."""

import os
import platform
import shutil
from pathlib import Path

import pytest

from iluvatar_pxe.lab.ipxe import current_ipxe
from iluvatar_pxe.lab.kernel import StandIn, stand_in
from iluvatar_pxe.lab.stages import REFERENCE, stage_table

CACHE = Path(__file__).parents[2] / ".cache" / "lab"
LAST_STAGE = "config fetched"

BootRow = tuple[str, str, dict[str, float]]
_ROWS = pytest.StashKey[list[BootRow]]()
_DISKS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def _can_boot() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and taps")
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("needs QEMU (package qemu-system-x86)")
    if platform.freedesktop_os_release()["ID"] != "debian":
        pytest.skip("needs a Debian host: the stand-in for Talos is made of its packages")


@pytest.fixture(scope="session")
def system() -> StandIn:
    return stand_in(CACHE, "amd64")


@pytest.fixture(scope="session")
def current() -> Path:
    """The programs of a current iPXE."""
    return current_ipxe(CACHE)


@pytest.fixture
def boot_rows(pytestconfig: pytest.Config) -> list[BootRow]:
    """Where a test puts (label, kind of firmware, stage times) of a boot, for the table."""
    return pytestconfig.stash.setdefault(_ROWS, [])


@pytest.fixture
def disk_lines(pytestconfig: pytest.Config) -> list[str]:
    """Where a test puts a line about a machine that booted its disk."""
    return pytestconfig.stash.setdefault(_DISKS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash.get(_DISKS, []):
        terminalreporter.section("chain local: seconds since switching on")
        for line in lines:
            terminalreporter.write_line(line)
    rows = config.stash.get(_ROWS, [])
    if not rows:
        return
    terminalreporter.section("boots: seconds since switching on, beside dnsmasq with iPXE of 2019")
    for label, kind, times in rows:
        reference = REFERENCE[kind]
        ratio = times[LAST_STAGE] / reference[LAST_STAGE]
        for line in stage_table([(label, times), ("  reference", reference)]):
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"  {LAST_STAGE}: {ratio:.2f} of the reference")
