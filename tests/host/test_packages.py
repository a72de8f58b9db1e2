"""The versions of installed packages, from dpkg's own list."""

import shutil
import subprocess
from pathlib import Path

import pytest

from iluvatar_pxe.host.packages import STATUS, installed_versions

LIST = """\
Package: ipxe
Status: install ok installed
Architecture: all
Version: 1.21.1+git20250501.5a7a7a7-1
Description: PXE boot firmware
 iPXE: network boot firmware
 Version: 9 is what a description may say

Package: ipxe-qemu
Status: deinstall ok config-files
Version: 1.0

Package: held
Status: hold ok installed
Version: 2:3.0-1
"""


def test_what_is_installed_has_its_version(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(LIST, encoding="utf-8")
    found = installed_versions({"ipxe", "ipxe-qemu", "held", "none"}, status)
    assert found == {"ipxe": "1.21.1+git20250501.5a7a7a7-1", "held": "2:3.0-1"}


def test_a_system_without_dpkg_has_no_packages(tmp_path: Path) -> None:
    assert installed_versions({"ipxe"}, tmp_path / "status") == {}


@pytest.mark.skipif(not (STATUS.exists() and shutil.which("dpkg-query")), reason="not on Debian")
def test_dpkg_says_the_same() -> None:
    told = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "dpkg"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert installed_versions({"dpkg"}) == {"dpkg": told.stdout}
