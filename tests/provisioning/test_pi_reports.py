"""What Pis report, and what their clusters say of them, becomes the timeline of the machine that it is about."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.fleets import fleet_of

from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.ainur.reports import Event
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.report import MOST_FAULTS
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.pi_reports import PiReports

MAC, OTHER = "2c:cf:67:00:00:05", "2c:cf:67:00:00:06"
HERE, THERE = IPv4Address("10.77.0.50"), IPv4Address("10.77.0.51")
FLEET = fleet_of(
    ("ainur-01", MAC, "layer: ainur\nrole: server\n"),
    ("arda-01", OTHER, "layer: arda\nrole: worker\n"),
    ainur="",
)
BEGINS = Event("init-network", "cloudinit", begins=True)
ENDS = Event("modules-final", "cloudinit", "SUCCESS")


@dataclass
class Site:
    inventory: Inventory
    reports: PiReports

    def boots(self, mac: str = MAC, stage: Stage = Stage.DISCOVER) -> None:
        self.inventory.observe(Sighting(mac=mac, firmware=Firmware.RASPBERRY_PI, address=HERE), stage)

    def is_seeded(self, *, is_spent: bool) -> None:
        self.inventory.note_seed(self.machine.id, Seed(self.machine.generation, is_spent))

    def sees(self, start: str, *, is_ready: bool = True, layer: str = "ainur") -> None:
        node = Node("ainur-01", is_ready, is_unschedulable=False, boot=start, note="")
        self.reports.see_nodes(layer, (node,))

    def takes(self, event: Event) -> None:
        self.reports.take(self.machine, THERE, event)

    @property
    def machine(self) -> Machine:
        found = self.inventory.snapshot.machine(MAC)
        assert found
        return found

    @property
    def told(self) -> tuple[int, Stage]:
        return self.machine.generation, self.machine.reached


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    inventory, applied = Inventory(f"sqlite:///{tmp_path / 'inventory.db'}"), Applied(FLEET)
    await inventory.open()
    found = Site(inventory, PiReports(inventory, applied, Journal(inventory, applied)))
    found.boots()
    found.boots(OTHER)
    yield found
    await inventory.close()


async def test_a_machine_has_joined_once_its_node_is_ready(site: Site) -> None:
    site.is_seeded(is_spent=True)
    site.sees("one", is_ready=False)
    site.sees("one", layer="arda")
    assert site.told == (1, Stage.DISCOVER)
    site.sees("one")
    assert (site.told, site.machine.phase) == ((1, Stage.JOINED), Phase.JOINED)
    site.sees("one")
    assert (site.machine.report.start, site.machine.report.node) == ("one", "ainur/ainur-01")
    stranger = site.inventory.snapshot.machine(OTHER)
    assert stranger
    assert stranger.reached is Stage.DISCOVER


async def test_a_node_that_is_still_ready_from_an_earlier_start_shows_nothing(site: Site) -> None:
    site.is_seeded(is_spent=True)
    site.sees("one")
    site.boots()
    site.sees("one")
    assert site.told == (2, Stage.DISCOVER)
    site.sees("two")
    assert site.told == (2, Stage.JOINED)


async def test_a_node_of_the_system_that_was_there_before_shows_nothing(site: Site) -> None:
    site.is_seeded(is_spent=False)
    site.sees("of the old system")
    assert site.told == (1, Stage.DISCOVER)
    site.takes(BEGINS)
    site.sees("of this one")
    assert site.told == (1, Stage.JOINED)


async def test_a_restart_from_the_disk_is_a_boot_whether_cloud_init_reports_it_or_not(site: Site) -> None:
    site.is_seeded(is_spent=True)
    site.sees("one")
    site.sees("two")
    assert site.told == (2, Stage.JOINED)
    site.takes(BEGINS)
    assert site.told == (3, Stage.STARTED)
    site.takes(ENDS)
    site.sees("two")
    assert site.told == (3, Stage.RUNNING)
    site.sees("three")
    assert site.told == (3, Stage.JOINED)


async def test_reports_tell_the_address_of_the_operating_system(site: Site) -> None:
    assert site.machine.address == HERE
    site.takes(BEGINS)
    assert site.machine.address == THERE


async def test_faults_are_kept_until_it_has_joined(site: Site) -> None:
    site.is_seeded(is_spent=True)
    for number in range(MOST_FAULTS + 2):
        site.takes(Event("k3s", "iluvatar", "FAIL", f"no {number}\x1b[2J\nK10{'ab' * 32}::server:secret"))
        site.takes(Event("k3s", "iluvatar", "FAIL", f"no {number}\x1b[2J\nK10{'ab' * 32}::server:secret"))
    assert len(site.machine.report.faults) == MOST_FAULTS
    assert site.machine.report.faults[-1].startswith("k3s: no 6")
    assert "\x1b" not in site.machine.report.faults[-1]
    assert "ab" * 32 not in site.machine.report.faults[-1]
    site.sees("one")
    assert site.machine.report.faults == ()


async def test_a_report_of_a_machine_that_is_forgotten_meanwhile_is_nothing(site: Site) -> None:
    machine = site.machine
    await site.inventory.forget(machine.id, "test")
    site.reports.take(machine, HERE, Event("k3s", "iluvatar", "FAIL", "no clock"))
