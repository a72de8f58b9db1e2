"""What people ask for: written before it is answered, and refused where it cannot be."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from inventory.samples import Clock, known, rows, running, script, sighting, until, url_of
from support.fleets import fleet_of
from support.no_secrets import no_secrets

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.machines import Merge
from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory import inventory as module
from iluvatar_pxe.inventory.database.read_only import last_boots, read_only
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import PASSING_SECONDS
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.provisioning.assigner import DatabaseAssigner
from iluvatar_pxe.provisioning.enrolment import OwnWindow
from iluvatar_pxe.values import replace

ONE, TWO, THREE = (f"52:54:00:00:00:0{number}" for number in (1, 2, 3))
FLEET = fleet_of()
PLACE = PlaceRequest(layer="arda", rule="rule 1 of fleet.yaml")
EVENTS = "SELECT machine, boot, stage, detail, cause FROM boot_timeline"


def held(machine: Machine) -> Machine:
    return replace(machine, directive=Directive(Intent.HOLD, "anna", "broken"))


async def hold(inventory: Inventory, machine: Machine) -> Machine:
    return await inventory.change(machine.id, held, Happening.CHANGED, "hold: broken", "anna")


async def test_a_change_is_written_and_then_answered(inventory: Inventory, file: Path) -> None:
    machine = inventory.observe(sighting(ONE), Stage.DISCOVER)
    changed = await hold(inventory, machine)
    assert changed == inventory.snapshot.by_id[machine.id] == known(file)[ONE]
    assert changed.directive == Directive(Intent.HOLD, "anna", "broken")
    assert rows(file, EVENTS)[-1] == (ONE, 1, "changed", "hold: broken", "anna")


async def test_a_nic_in_question_is_recorded_with_its_machine(inventory: Inventory, file: Path) -> None:
    machine = inventory.observe(sighting(ONE), Stage.DISCOVER)
    inventory.doubt_nic(machine.id, TWO)
    changed = await hold(inventory, machine)
    assert changed.unsure == known(file)[ONE].unsure == (TWO,)


async def test_a_change_while_the_database_is_locked_changes_nothing(
    inventory: Inventory, file: Path
) -> None:
    machine = inventory.observe(sighting(ONE), Stage.DISCOVER)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InventoryError, match="locked by another program"):
            await hold(inventory, machine)
    assert inventory.snapshot.by_id[machine.id] == machine


async def test_a_change_that_is_refused_itself_changes_nothing(inventory: Inventory) -> None:
    def refuse(machine: Machine) -> Machine:
        raise InventoryError(f"{machine.title}: no")

    machine = inventory.observe(sighting(ONE), Stage.DISCOVER)
    with pytest.raises(InventoryError, match=f"{ONE}: no"):
        await inventory.change(machine.id, refuse, Happening.CHANGED, "", "anna")
    assert inventory.snapshot.by_id[machine.id] == machine


async def test_a_forgotten_machine_is_new_when_it_comes_back(inventory: Inventory, file: Path) -> None:
    machine = inventory.observe(sighting(ONE), Stage.SCRIPT)
    await inventory.forget(machine.id, "anna")
    assert inventory.snapshot.machine(ONE) is None
    for table in ("machines", "interfaces", "boots", "boot_events"):
        assert rows(file, f"SELECT * FROM {table}") == []
    again = inventory.observe(sighting(ONE), Stage.DISCOVER)
    assert (again.id == machine.id, again.generation) == (False, 1)


async def test_two_machines_become_one_with_the_boots_of_both(inventory: Inventory, file: Path) -> None:
    one = inventory.observe(sighting(ONE), Stage.SCRIPT)
    two = inventory.observe(sighting(TWO), Stage.DISCOVER)
    inventory.observe(sighting(ONE), Stage.DISCOVER, detail="second boot")
    await inventory.assign(one.id, PLACE, FLEET)
    merged = await inventory.merge(two.id, one.id, "anna")
    assert (merged.id, merged.macs, merged.title) == (one.id, (ONE, TWO), "arda-01")
    assert known(file) == {ONE: merged, TWO: merged}
    under_way = {3: 2, 4: 4}[merged.generation]  # 3 where both were seen in one millisecond
    assert {(boot, stage, detail) for _, boot, stage, detail, _ in rows(file, EVENTS)} == {
        (1, "script", ""),
        (under_way, "discover", "second boot"),
        (under_way, "assigned", "arda-01, controlplane"),
        (3, "discover", ""),
        (merged.generation, "merged", f"{TWO} was known as a separate machine"),
    }


async def test_merging_what_was_assigned_twice_keeps_both_names_taken(
    inventory: Inventory, file: Path
) -> None:
    given = []
    for mac in (ONE, TWO):
        machine = inventory.observe(sighting(mac), Stage.DISCOVER)
        given.append(await inventory.assign(machine.id, PLACE, FLEET))
    merged = await inventory.merge(given[0].id, given[1].id, "anna")
    names = rows(file, "SELECT name, machine_id FROM assignments ORDER BY name")
    assert {name: id_ is not None for name, id_ in names} == {
        "arda-01": merged.title == "arda-01",
        "arda-02": merged.title == "arda-02",
    }


async def test_merging_tells_which_name_is_nobody_s_now(inventory: Inventory) -> None:
    for mac in (ONE, TWO):
        machine = inventory.observe(sighting(mac), Stage.DISCOVER)
        await inventory.assign(machine.id, PLACE, FLEET)
    inventory.observe(sighting(THREE), Stage.DISCOVER)
    context = CommandContext(
        inventory=inventory,
        fleet_in_force=lambda: FLEET,
        assigner=DatabaseAssigner(inventory),
        window=OwnWindow(inventory),
        secrets=no_secrets(inventory),
    )
    first = await Merge(machine=ONE, other=THREE).carry_out(context, "anna")
    assert first["message"] == f"arda-01 now has the NICs {ONE}, {THREE}"
    message = (await Merge(machine=ONE, other=TWO).carry_out(context, "anna"))["message"]
    left = inventory.snapshot.machine(ONE)
    assert left is not None
    retired = "arda-02" if left.title == "arda-01" else "arda-01"
    assert (
        message
        == f"{left.title} now has the NICs {', '.join(left.macs)}; {retired} stays reserved until reuseNames lists it"
    )


async def test_a_card_becomes_a_machine_of_its_own(inventory: Inventory, file: Path) -> None:
    inventory.observe(script(ONE, TWO), Stage.SCRIPT, vouched=True)
    whole = inventory.observe(script(TWO, ONE), Stage.SCRIPT, vouched=True)
    rest, card = await inventory.split(whole.id, TWO, "anna")
    assert (rest.id, rest.macs, card.macs) == (whole.id, (ONE,), (TWO,))
    assert known(file) == {ONE: rest, TWO: card}
    with pytest.raises(InventoryError, match=f"{TWO} is the only NIC of {TWO}; to start over, forget it"):
        await inventory.split(card.id, TWO, "anna")
    with pytest.raises(InventoryError, match=f"has no NIC {THREE}"):
        await inventory.split(rest.id, THREE, "anna")


async def test_a_machine_that_is_not_known_is_refused(inventory: Inventory) -> None:
    machine, nobody = inventory.observe(sighting(ONE), Stage.DISCOVER), UUID(int=7)
    for asked in (
        inventory.change(nobody, held, Happening.CHANGED, "", "anna"),
        inventory.forget(nobody, "anna"),
        inventory.merge(machine.id, nobody, "anna"),
        inventory.split(nobody, ONE, "anna"),
    ):
        with pytest.raises(InventoryError, match=f"machine {nobody}: no longer exists"):
            await asked
    with pytest.raises(InventoryError, match=f"machine {nobody}: no longer exists"):
        inventory.note(nobody, Happening.REFUSED, "")
    with pytest.raises(InventoryError, match="both names are the same machine"):
        await inventory.merge(machine.id, machine.id, "anna")


async def test_what_happens_besides_stages_is_recorded(inventory: Inventory, file: Path) -> None:
    machine = inventory.observe(sighting(ONE), Stage.DISCOVER)
    async with running(inventory):
        inventory.note(machine.id, Happening.UNTRUSTED, "asked from 10.0.0.9", "no card of it")
    assert rows(file, EVENTS)[-1] == (ONE, 1, "untrusted", "asked from 10.0.0.9", "no card of it")


async def test_merges_and_conflicts_by_sightings_are_recorded(inventory: Inventory, file: Path) -> None:
    async with running(inventory):
        for mac in (ONE, TWO):
            inventory.observe(sighting(mac), Stage.DISCOVER)
        await until(lambda: len(known(file)) == 2)
        inventory.touch(script(TWO, ONE), Stage.IPXE_DISCOVER, vouched=True)
        inventory.observe(script(ONE, TWO, serial="PC0001"), Stage.SCRIPT, vouched=True)
        await until(lambda: len({one.id for one in known(file).values()}) == 1)
        inventory.observe(script(ONE, serial="PC0002"), Stage.SCRIPT, vouched=True)
    assert [stage for _, _, stage, _, _ in rows(file, EVENTS)] == [
        "discover",
        "discover",
        "merged",
        "script",
        "conflict",
        "script",
    ]
    assert len({boot for _, boot, *_ in rows(file, EVENTS)[2:]}) == 1
    assert "serial number PC0002" in known(file)[ONE].conflict


def test_when_a_machine_asked_for_a_boot_by_dhcp(file: Path, clock: Clock) -> None:
    inventory = Inventory(url_of(file), clock)
    machine = inventory.observe(sighting(ONE), Stage.SCRIPT)
    assert not inventory.asked_within(machine.id, 900)
    for stage in (Stage.DISCOVER, Stage.BOOT_SERVER, Stage.IPXE_DISCOVER):
        clock.now += 1000
        inventory.touch(sighting(ONE), stage)
        clock.now += 900
        assert inventory.asked_within(machine.id, 900)
        clock.now += 1
        assert not inventory.asked_within(machine.id, 900)


def test_a_merged_machine_asked_when_either_did(file: Path, clock: Clock) -> None:
    inventory = Inventory(url_of(file), clock)
    for mac in (ONE, TWO):
        inventory.observe(sighting(mac), Stage.DISCOVER)
        clock.now += 100
    inventory.touch(script(ONE, TWO), Stage.SCRIPT, vouched=True)
    merged = inventory.observe(script(TWO, ONE), Stage.SCRIPT, vouched=True)
    assert len(inventory.snapshot.by_id) == 1
    assert inventory.asked_within(merged.id, 100)
    assert not inventory.asked_within(merged.id, 99)


async def test_the_window_is_open_after_the_first_start_and_resumed_after_others(
    inventory: Inventory, file: Path, clock: Clock
) -> None:
    assert (inventory.window.remaining, inventory.window.opened_by) == (86400, "first start")
    told = asyncio.Event()
    inventory.changed.subscribers.add(told)
    await inventory.set_window(1800, "anna")
    assert told.is_set()
    clock.now += 600
    await inventory.close()
    again = Inventory(url_of(file), clock)
    await again.open()
    assert again.window.opened_by == "anna"
    assert again.window.remaining == pytest.approx(1200, abs=DEADLINE)
    await again.set_window(0, "bert")
    saved = read_only(url_of(file)).window
    assert saved is not None
    assert (saved.remaining, saved.opened_by) == (0, "bert")
    await again.close()


DEADLINE = 40
"""Seconds by which the wall clock may have gone on during a test."""


async def test_a_window_that_ended_between_two_ticks_is_written_at_the_stop(
    inventory: Inventory, file: Path, clock: Clock
) -> None:
    await inventory.set_window(30, "anna")
    clock.now += 31
    await inventory.close()
    saved = read_only(url_of(file)).window
    assert saved is not None
    assert (saved.remaining, saved.opened_by) == (0, "anna")


def test_without_a_database_the_window_is_closed(file: Path) -> None:
    assert not Inventory(url_of(file)).window.is_open


async def test_every_minute_the_window_is_written_and_passers_by_are_dropped(
    inventory: Inventory, file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    passer = inventory.observe(sighting(ONE), Stage.DISCOVER)
    async with running(inventory):
        await until(lambda: ONE in known(file))
        clock.now += PASSING_SECONDS / 2
        inventory.observe(sighting(TWO), Stage.DISCOVER)
        await until(lambda: rows(file, "SELECT remaining FROM enrolment_window") == [(43200,)])
        clock.now += PASSING_SECONDS / 2
        await until(lambda: set(known(file)) == {TWO})
        await until(lambda: rows(file, "SELECT remaining FROM enrolment_window") == [(0,)])
    assert passer.id not in inventory.snapshot.by_id
    assert rows(file, "SELECT count(*) FROM boots") == [(1,)]


async def test_a_machine_s_last_boots_with_their_events(inventory: Inventory, file: Path) -> None:
    for _ in range(3):
        machine = inventory.observe(sighting(ONE), Stage.DISCOVER)
        inventory.observe(
            sighting(ONE), Stage.SCRIPT, detail="talos", cause="rule 1", size=7, milliseconds=1.5
        )
    await asyncio.wait_for(hold(inventory, machine), 10)
    latest, earlier = last_boots(url_of(file), machine.id, 2)
    assert [(boot.generation, boot.reached) for boot in (latest, earlier)] == [
        (3, Stage.SCRIPT),
        (2, Stage.SCRIPT),
    ]
    assert [event.stage for event in latest.events] == [Stage.DISCOVER, Stage.SCRIPT, Happening.CHANGED]
    served = latest.events[1]
    assert (served.detail, served.cause, served.bytes, served.milliseconds) == ("talos", "rule 1", 7, 1.5)
    assert earlier.started <= latest.started == latest.events[0].at
    assert last_boots(url_of(file), UUID(int=7), 2) == ()
