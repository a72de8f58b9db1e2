"""A real Debian 13 of arm64 whose root is in memory, from power-on to k3s' start, twice; what lasts is on a disk.

Real and stand-ins as in ``test_installed_system.py``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.arm64.disk import tool
from support.arm64.image import debian_image
from support.arm64.site import IMAGE, SECONDS, Arm64Site, put_assets
from support.k3s.kubernetes_api import VERSION
from support.pi_images import MIB

from iluvatar_pxe.lab.room.lab import Lab

pytestmark = [pytest.mark.firmware, pytest.mark.long, pytest.mark.timeout(7200)]

DISK_SIZE = 8200 * MIB
FLEET = {
    "fleet.yaml": "domain: lab.home.arpa\nenrolment: {mode: join, countdown: 1}\nmaxAttempts: 1000\n"
    "rules: [{match: {firmware: raspberry-pi}, layer: ainur}]\n",
    "layers/ainur.yaml": f"kind: k3s\nimage: {IMAGE}\nservers: 1\nk3s: {{version: {VERSION}}}\n"
    "root: {kind: memory, data: {label: data, disk: {type: ssd}}}\n",
}
MEMORY = 2560
"""MiB: the image's root file system is to be at most three quarters of it."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Arm64Site]:
    put_assets(tmp_path / "assets", debian_image(), tmp_path / "scratch")
    with Lab() as lab:
        yield Arm64Site(lab, tmp_path, tmp_path / "assets", FLEET, DISK_SIZE, MEMORY)


def test_a_machine_starts_k3s_from_memory_with_what_it_had_before(site: Arm64Site) -> None:
    told = run_once(site)
    password = on_data(site, "cat /node/password")
    assert password
    assert "Mode:  0600" in on_data(site, "stat /rancher/k3s/server/tls/server-ca.key")
    assert run_once(site) == told
    assert on_data(site, "cat /node/password") == password
    assert site.shown()["phase"] != "installed"


def run_once(site: Arm64Site) -> str:
    """Switch it on, until cloud-init has ended and k3s was started, and off; return what k3s was started with."""
    machine = site.switch_on()
    told = machine.shows(r"K3S STAND-IN: (.*)\n", SECONDS)[1]
    machine.shows(r"Cloud-init v\. .* finished at .*DataSourceNoCloud", SECONDS)
    machine.press_power()
    machine.console.wait(SECONDS)
    return told


def on_data(site: Arm64Site, request: str) -> str:
    """Read the file system for what lasts, which was unmounted: it is in the disk's one partition."""
    return tool("debugfs", "-R", request, f"{site.disk}?offset={MIB}")
