"""A real Debian 13 of arm64 from power-on to a node: installed by the real daemon, and configured by its own cloud-init.

Real: UEFI, the kernel and its own modules, the provisioning system, cloud-init 25.1, systemd, and the program that
prepares k3s. Stand-ins: a Raspberry Pi's firmware, which loads the kernel for UEFI, and k3s itself.
"""

import hashlib
import json
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.arm64.disk import Disk
from support.arm64.image import OF_IMAGE, debian_image
from support.arm64.site import IMAGE, MAC, SECONDS, SERIAL, Arm64Site, put_assets
from support.k3s.kubernetes_api import VERSION
from support.lab_machine import Machine
from support.pi_images import MIB
from support.waiting import wait_until

from iluvatar_pxe.lab.room.lab import Lab
from iluvatar_pxe.layers.ainur.installer.layout import Installation

pytestmark = [pytest.mark.firmware, pytest.mark.long, pytest.mark.timeout(7200)]

DISK_SIZE = 2048 * MIB
OWN = Installation(SERIAL, 1)
NAME = "ainur-01"
SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBo1Xw8eNh7oN5vjQ2Yb8Fq6p0c9u3s7d1k2m4r6t8wZ ada@laptop"
FLEET = {
    "fleet.yaml": "domain: lab.home.arpa\nenrolment: {mode: join, countdown: 1}\nmaxAttempts: 1000\n"
    "rules: [{match: {firmware: raspberry-pi}, layer: ainur}]\n",
    "layers/ainur.yaml": f"kind: k3s\nimage: {IMAGE}\nservers: 1\nk3s: {{version: {VERSION}}}\n"
    f"users: [{{name: ada, sudo: true, sshKeys: ['{SSH_KEY}']}}]\n",
}
KILLS = 4
"""Of one machine: 20 in all."""
MOST_LINES = 700
"""On the console from power-on to a node."""
GREETING = re.compile(r"K3S STAND-IN: (.*)\n")
K3S = "/var/lib/rancher/k3s/server"
SECRETS = ("/etc/rancher/k3s/token", "/etc/rancher/node/password", f"{K3S}/tls/server-ca.key")


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("assets")
    put_assets(directory / "assets", debian_image(), directory / "scratch")
    return directory / "assets"


@pytest.fixture
def site(assets: Path, tmp_path: Path) -> Iterator[Arm64Site]:
    with Lab() as lab:
        yield Arm64Site(lab, tmp_path, assets, FLEET, DISK_SIZE)


def test_a_machine_becomes_a_node_by_its_own_cloud_init(site: Arm64Site, tmp_path: Path) -> None:
    site.switch_on().console.wait(SECONDS)  # it restarts, which ends QEMU
    check_installed(Disk(site.disk, tmp_path))
    assert site.shown()["phase"] == "installed"
    machine = site.switch_on()
    told = machine.shows(GREETING.pattern, SECONDS)[1]
    site.daemon_says('"stage": "running"')
    machine.shows("first boot is complete", SECONDS)  # systemd cuts long lines in the middle
    machine.press_power()
    machine.console.wait(SECONDS)
    assert told == f"server, cluster-init: true, token {token_sum(site)}"
    check_configured(Disk(site.disk, tmp_path))


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_that_is_switched_off_again_and_again_is_a_node_after_its_next_start(
    site: Arm64Site, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(KILLS):
        machine = site.switch_on()
        live(machine, chance)
        machine.console.stop(how=signal.SIGKILL)
    machine = become_node(site)
    machine.press_power()
    machine.console.wait(SECONDS)
    check_configured(Disk(site.disk, tmp_path))


def live(machine: Machine, chance: random.Random) -> None:
    """Let a machine live until it has written so many lines, or until it restarts."""
    lines = chance.randrange(MOST_LINES)

    def is_over() -> bool:
        return machine.console.has_ended or machine.console.output.count("\n") >= lines

    wait_until(is_over, f"{lines} lines", SECONDS)


def become_node(site: Arm64Site) -> Machine:
    """Switch the machine on, and again if it restarts, until k3s runs and cloud-init has ended."""
    machine = site.switch_on()
    wait_until(lambda: machine.console.has_ended or GREETING.search(machine.screen), "k3s", SECONDS)
    if machine.console.has_ended:
        machine = site.switch_on()
    machine.shows(GREETING.pattern, SECONDS)
    machine.shows(r"Cloud-init v\. .* finished at", SECONDS)
    return machine


def token_sum(site: Arm64Site) -> str:
    """Return the sum of the token by which this cluster is founded."""
    secrets = yaml.safe_load(site.daemon.command("cluster", "secrets", "export", "ainur", "-"))
    return hashlib.sha256(f"{secrets['token']}\n".encode()).hexdigest()


def check_installed(disk: Disk) -> None:
    """Check that the image is there, as this machine's own, and nothing that the image brought along of its own seeds."""
    assert f"label-id: 0x{OWN.disk_id}" in disk.table
    assert f"Filesystem UUID:          {OWN.root_uuid}\n" in disk.root_facts
    assert OWN.disk_id != OF_IMAGE.disk_id
    assert not {"user-data", "meta-data", "network-config"} & {*disk.boot_files}
    assert f"root=PARTUUID={OWN.disk_id}-02 " in disk.boot_file("cmdline.txt")
    assert re.findall(r"^\S+", disk.text("/etc/fstab"), re.MULTILINE)[1:] == [
        f"PARTUUID={OWN.disk_id}-02",
        f"PARTUUID={OWN.disk_id}-01",
    ]
    assert disk.names("/var/lib/cloud/seed") == {"nocloud"}
    assert disk.mode("/var/lib/cloud/seed/nocloud/user-data") == "0600"


def check_configured(disk: Disk) -> None:
    """Check what cloud-init and the program that prepares k3s have made of the documents."""
    status = json.loads(disk.text("/var/lib/cloud/data/status.json"))["v1"]
    assert "DataSourceNoCloud" in status["datasource"]
    assert not [stage for stage in status.values() if isinstance(stage, dict) and stage.get("errors")]
    log = disk.text("/var/log/cloud-init.log")
    assert [line for line in log.splitlines() if "[WARNING]" in line or "[ERROR]" in line] == []
    assert disk.text("/etc/hostname") == f"{NAME}\n"
    assert disk.text("/home/ada/.ssh/authorized_keys").splitlines() == [SSH_KEY]
    assert "ada ALL=(ALL) NOPASSWD:ALL" in disk.text("/etc/sudoers.d/90-cloud-init-users")
    network = yaml.safe_load(disk.text("/etc/netplan/50-cloud-init.yaml"))["network"]["ethernets"]["net0"]
    assert (network["match"], network["dhcp4"]) == ({"macaddress": MAC}, True)
    assert [disk.mode(path) for path in SECRETS] == ["0600"] * len(SECRETS)
    assert disk.mode("/etc/iluvatar/swapped") == "0600"
    assert disk.mode("/usr/local/bin/k3s") == "0755"
    assert disk.mode("/var/lib/cloud/iluvatar-configured") == "0644"
