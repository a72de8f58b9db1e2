"""What the end-to-end tests share: the lab's parts, and where they put what tests/conftest.py prints at the end."""

import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from iluvatar_pxe.lab.system.ipxe import current_ipxe
from iluvatar_pxe.lab.system.kernel import StandIn, stand_in

CACHE = Path(__file__).parents[2] / ".cache" / "iluvatar-pxe" / "lab"
"""As with ``make demo``: of the lab's default for ``XDG_CACHE_HOME=.cache``."""

BootRow = tuple[str, str, dict[str, float]]


@pytest.fixture(scope="session", autouse=True)
def _can_boot() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and taps")
    for emulator, package in (
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("qemu-system-aarch64", "qemu-system-arm"),
    ):
        if shutil.which(emulator) is None:
            pytest.skip(f"needs QEMU (package {package})")
    if platform.freedesktop_os_release()["ID"] != "debian":
        pytest.skip("needs a Debian host: the stand-in for Talos is made of its packages")


@pytest.fixture(scope="session")
def system() -> StandIn:
    return stand_in(CACHE, "amd64")


@pytest.fixture(scope="session")
def system_arm64() -> StandIn:
    return stand_in(CACHE, "arm64")


@pytest.fixture(scope="session")
def current() -> Path:
    """The programs of a current iPXE."""
    return current_ipxe(CACHE)


@pytest.fixture
def boot_rows(record_property: Callable[[str, object], None]) -> list[BootRow]:
    """Where a test puts (label, kind of firmware, stage times) of a boot, for the table."""
    rows: list[BootRow] = []
    record_property("boot_rows", rows)
    return rows


@pytest.fixture
def disk_lines(record_property: Callable[[str, object], None]) -> list[str]:
    """Where a test puts a line about a machine that booted its disk."""
    lines: list[str] = []
    record_property("disk_lines", lines)
    return lines
