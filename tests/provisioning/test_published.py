"""What is published of machines and of the fleet, for those who want to be told: each thing once, and nothing made up."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.booters import booters_of
from support.fleets import fleet_of

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.events import Event, EventKind, EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.booter import Booter, Booters
from iluvatar_pxe.provisioning.rollout import Rollout

NOBODY: dict[IPv4Address, str] = {}
"""A neighbour table."""
MAC = "52:54:00:77:00:01"
FIRMWARE = Sighting(mac=MAC, firmware=Firmware.UEFI_PXE)
IPXE = Sighting(mac=MAC, firmware=Firmware.IPXE)
TALOS = Sighting(mac=MAC, firmware=Firmware.TALOS)


@pytest.fixture
def events() -> EventLog:
    return EventLog()


@pytest.fixture
def inventory(tmp_path: Path, events: EventLog) -> Inventory:
    return Inventory(f"sqlite:///{tmp_path / 'inventory.db'}", events=events)


def booters(fleet: Fleet, tmp_path: Path, inventory: Inventory, events: EventLog) -> Booters:
    return booters_of(fleet, inventory, AssetStore(tmp_path), NOBODY.get, events=events)


def told(events: EventLog, kind: EventKind) -> list[Event]:
    return [one for one in events.after(0) if one.kind is kind]


def asks(booter: Booter, served: str = "hold") -> None:
    booter.journal.served(booter.decide(IPXE), Stage.SCRIPT, served)


def test_a_machine_is_known_once_it_asks_what_to_boot(inventory: Inventory, events: EventLog) -> None:
    for sighting, stage in ((FIRMWARE, Stage.DISCOVER), (FIRMWARE, Stage.NBP), (IPXE, Stage.IPXE_DISCOVER)):
        inventory.observe(sighting, stage)
    assert not told(events, EventKind.MACHINE_KNOWN)
    for _ in range(3):
        inventory.observe(FIRMWARE, Stage.DISCOVER)
        machine = inventory.observe(IPXE, Stage.SCRIPT)
    assert [one.subject for one in told(events, EventKind.MACHINE_KNOWN)] == [str(machine.id)]


def test_a_machine_that_another_daemon_booted_is_not_new_here(inventory: Inventory, events: EventLog) -> None:
    inventory.observe(FIRMWARE, Stage.DISCOVER)
    inventory.observe(TALOS, Stage.RUNNING)
    inventory.observe(IPXE, Stage.SCRIPT)
    assert not told(events, EventKind.MACHINE_KNOWN)


def test_each_phase_is_told_with_the_one_before(inventory: Inventory, events: EventLog) -> None:
    for stage in (Stage.SCRIPT, Stage.CONFIG, Stage.INSTALLED, Stage.JOINED, Stage.JOINED):
        inventory.observe(TALOS, stage)
    phases = [(one.facts["before"], one.facts["phase"]) for one in told(events, EventKind.MACHINE_PHASE)]
    assert phases == [("discovered", "installing"), ("installing", "installed"), ("installed", "joined")]


def test_a_machine_that_lacks_something_is_held_once_in_a_boot(
    tmp_path: Path, inventory: Inventory, events: EventLog
) -> None:
    fleet = fleet_of(("named", MAC, "role: worker\nconfig: configs/one.yaml\n"))
    booter = booters(fleet, tmp_path, inventory, events).real
    for _ in range(100):
        asks(booter)
    (held,) = told(events, EventKind.MACHINE_HELD)
    assert held.words.startswith("named is held: machines/named.yaml")
    assert "kernel-amd64" in str(held.facts["cause"])
    inventory.observe(FIRMWARE, Stage.DISCOVER)
    asks(booter)
    assert len(told(events, EventKind.MACHINE_HELD)) == 2


def test_what_the_owner_holds_and_who_is_not_the_fleets_is_not_held_for_somebody(
    tmp_path: Path, inventory: Inventory, events: EventLog
) -> None:
    asks(booters(fleet_of(("named", MAC, "chain: hold\n")), tmp_path, inventory, events).real)
    stranger = booters(fleet_of(), tmp_path, inventory, events).real
    asks(stranger)
    pi = Sighting(mac="2c:cf:67:00:00:01", firmware=Firmware.RASPBERRY_PI)
    stranger.journal.served(stranger.decide(pi), Stage.SCRIPT, "declined")
    assert not told(events, EventKind.MACHINE_HELD)


def test_of_simulated_machines_nothing_is_published(
    tmp_path: Path, inventory: Inventory, events: EventLog
) -> None:
    fleet = fleet_of(("named", MAC, "role: worker\nconfig: configs/one.yaml\n"))
    asks(booters(fleet, tmp_path, inventory, events).simulated)
    assert not events.after(0)


async def test_commits_are_published_with_who_made_them(
    tmp_path: Path, inventory: Inventory, events: EventLog
) -> None:
    opener = Opener(lambda: None)
    store = AssetStore(tmp_path)
    rollout = Rollout(Applied(), store, inventory, opener, repository_decides=False, events=events)
    commit = Commit("a" * 40, "Ada", "2026-11-30T15:00:00Z", "More machines")
    await rollout.adopt(fleet_of(("named", MAC, "chain: hold\n")), commit)
    await rollout.reject(commit, FleetError(["fleet.yaml:1: no", "fleet.yaml:2: no"]))
    await rollout.reject(None, FleetError(["fleet.yaml:1: no"]))
    assert [(one.kind, one.words, one.facts.get("author")) for one in events.after(0)] == [
        (EventKind.FLEET_APPLIED, "aaaaaaaaaaaa by Ada: machines: 1", "Ada"),
        (EventKind.FLEET_REFUSED, "aaaaaaaaaaaa by Ada: fleet.yaml:1: no", "Ada"),
        (EventKind.FLEET_REFUSED, "fleet.yaml:1: no", None),
    ]
