"""What is wrong with a Raspberry Pi is told on its console and by ``machines show``, and nothing is destroyed: each kind once.

Others of these are told by the cluster (``tests/provisioning/test_k3s_clusters.py``) or at a push
(``tests/fleet/test_faults_together.py``).
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support.fleets import fleet_of
from support.pi import MACS, REVISIONS, eeprom_id, pi_discover
from support.pi_assets import installable
from support.pi_cluster import Cluster
from support.web import Response, Web, web

from iluvatar_pxe import ratelimit
from iluvatar_pxe.admin.machine_details import machine_details
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import Hold
from iluvatar_pxe.boot.preview.asker import asking
from iluvatar_pxe.boot.preview.next_boot import next_boot
from iluvatar_pxe.cli.machines.page import page_lines
from iluvatar_pxe.inventory.database.read_only import last_boots
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.cloud_init import instance_id_of

MAC, OTHER = MACS[Generation.PI5], MACS[Generation.PI4]
FLEET = fleet_of(
    ("ainur-01", MAC, "layer: ainur\nrole: server\n"),
    ("ainur-02", OTHER, "layer: ainur\nrole: agent\n"),
    ainur="image: ubuntu\n",
)
SMALL = "disk\tname=nvme0n1\tsize=5000000\tsector=512\tserial=S1\ttransport=nvme"
CLOCK = "the clock says 1970-01-01, before the cluster was made on 2026-11-01; start a daemon"
"""As ``prepare.py`` has it (``tests/layers/ainur/test_prepare.py``), which also prints it on the console."""


@dataclass
class Site:
    """A server, and the Pi that asks it."""

    web: Web
    directory: Path
    ticket: str = ""

    def asks(self, mac: str = MAC, revision: int = REVISIONS[Generation.PI5]) -> Machine:
        """Let a Pi ask for a boot, and have its ticket."""
        self.web.boots(mac)
        sighting = from_dhcp(pi_discover(mac, eeprom_id(mac, revision, fourcc=b"5iPR")))

        async def observe() -> Machine:
            return self.web.inventory.observe(sighting, Stage.DISCOVER)

        machine = self.web.call(observe())
        assert self.web.booter.cloud_init
        self.ticket = self.web.booter.cloud_init.tickets.mint(machine)
        return machine

    def post(self, path: str, body: str, **headers: str) -> Response:
        return self.web.post(f"/cloud-init/{self.ticket}/{path}", body.encode(), **headers)

    def plan(self, mac: str = MAC) -> object:
        machine = self.machine(mac)
        return self.web.booter.decide(sighting_of(machine)).plan

    def machine(self, mac: str = MAC) -> Machine:
        found = self.web.inventory.snapshot.machine(mac)
        assert found
        return found

    def page(self, mac: str = MAC) -> str:
        """Return what ``machines show`` prints."""
        machine, context = self.machine(mac), Context(ready=self.web.store.ready)
        following = next_boot(asking(sighting_of(machine)), self.web.inventory.snapshot, FLEET, context)[-1]
        copy = self.directory / "copy.db"
        copy.unlink(missing_ok=True)
        self.web.call(_copied(self.web.inventory, copy))
        boots = last_boots(f"sqlite:///{copy}", machine.id, 3)
        page = machine_details(machine, FLEET, following.decision, boots)
        return " ".join(" ".join(page_lines(page, datetime.now(UTC), None)).split())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(ratelimit._complaints, "_limiters", {})
    with _serving(tmp_path) as found:
        yield found


@contextmanager
def _serving(directory: Path) -> Iterator[Site]:
    with web(directory, FLEET, cloud_init=Cluster().cloud_init) as running:
        for name, content in installable("ubuntu").items():
            path = running.assets / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        running.call(running.store.refresh())
        yield Site(running, directory)


def test_a_pi_of_unknown_model(site: Site) -> None:
    site.asks(revision=0xE06210)
    assert isinstance(site.plan(), Hold)
    assert "a Raspberry Pi of an unknown model: its revision is e06210" in site.page()


def test_a_serial_number_that_two_pis_tell(site: Site) -> None:
    site.asks(OTHER)
    site.web.call(_joined(site.web, site.machine(OTHER)))
    site.asks()
    assert isinstance(site.plan(), Hold)
    assert "but it tells the serial number of ainur-02" in site.page()
    assert site.machine(OTHER).phase is Phase.JOINED


def test_an_image_without_a_file_that_it_needs(site: Site) -> None:
    site.asks()
    (site.web.assets / "raspberry-pi/ubuntu/vmlinuz").unlink()
    site.web.call(site.web.store.refresh())
    assert isinstance(site.plan(), Hold)
    assert "raspberry-pi/ubuntu/vmlinuz" in site.page()


def test_a_disk_that_is_too_small(site: Site) -> None:
    site.asks()
    assert site.post("hardware", f"iluvatar-hardware 1\n{SMALL}").status == 200
    console = site.web.get(f"/cloud-init/{site.ticket}/install").text.splitlines()[1]
    assert console.startswith("wait 15 none of its disks fits: /dev/nvme0n1 is smaller than ")
    assert console.removeprefix("wait 15 ") in site.page()
    assert "disk /dev/nvme0n1" not in console


def test_a_clock_of_1970(site: Site) -> None:
    site.asks()
    told = {"name": "k3s", "event_type": "finish", "result": "FAIL", "description": CLOCK, "timestamp": 1.5}
    assert site.post("report", json.dumps({**told, "origin": "iluvatar"})).status == 200
    assert f"it reports k3s: {CLOCK}" in site.page()


def test_a_phone_home_in_anothers_name(site: Site) -> None:
    machine = site.asks()
    told = urlencode({"hostname": "ainur-02", "instance_id": instance_id_of(machine)})
    answer = site.post("phone-home", told, Content_Type="application/x-www-form-urlencoded")
    assert (answer.status, "it calls itself 'ainur-02'" in answer.text) == (403, True)
    assert "it calls itself 'ainur-02', which is another machine's name" in site.page()


async def _copied(inventory: Inventory, copy: Path) -> None:
    """Have the inventory written, as a daemon does all the time."""
    task = asyncio.create_task(inventory.run())
    await inventory.backup(copy)
    task.cancel()
    await asyncio.wait([task])


async def _joined(running: Web, machine: Machine) -> None:
    running.inventory.observe(sighting_of(machine), Stage.JOINED)
