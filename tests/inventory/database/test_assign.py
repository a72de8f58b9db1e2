"""Names and roles: given once, by what the file says."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from inventory.samples import known, rows, script, sighting, until, url_of
from sqlalchemy import Engine, event
from support.fleets import ARDA, fleet_of

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database import recorder
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.values import replace

FLEET = fleet_of(ainur="servers: 1\n")
PLACE = PlaceRequest(layer="arda", rule="rule 1 of fleet.yaml")
LEFT = "SELECT name, role, machine_id IS NOT NULL FROM assignments ORDER BY name"


@pytest.fixture
async def inventory(file: Path) -> AsyncIterator[Inventory]:
    opened = Inventory(url_of(file))
    await opened.open()
    yield opened
    await opened.close()


def seen(inventory: Inventory, number: int = 1) -> Machine:
    return inventory.observe(sighting(f"52:54:00:00:00:{number:02x}"), Stage.DISCOVER)


def place(**changes: object) -> PlaceRequest:
    return PlaceRequest(**{"layer": "arda", "rule": "machines/gandalf.yaml"} | changes)  # type: ignore[arg-type]


async def test_the_first_is_written_before_it_is_known(inventory: Inventory, file: Path) -> None:
    machine = await inventory.assign(seen(inventory).id, PLACE, FLEET)
    assert machine.assignment
    assert (machine.title, machine.assignment.role, machine.phase) == (
        "arda-01",
        Role.CONTROLPLANE,
        Phase.ASSIGNED,
    )
    assert inventory.snapshot.named("arda-01") is machine
    assert known(file)[machine.macs[0]].assignment == machine.assignment
    assert rows(file, "SELECT stage, detail, cause FROM boot_events ORDER BY id DESC LIMIT 1") == [
        ("assigned", "arda-01, controlplane", "rule 1 of fleet.yaml")
    ]


async def test_a_joined_machine_that_is_assigned_again_stays_joined_in_its_row(
    inventory: Inventory, file: Path
) -> None:
    machine = await inventory.assign(seen(inventory).id, PLACE, FLEET)
    await inventory.change(
        machine.id, lambda one: replace(one, phase=Phase.JOINED), Happening.CHANGED, "joined", "test"
    )
    await inventory.assign(machine.id, place(name="gandalf"), FLEET)
    assert rows(file, "SELECT phase FROM machines") == [("joined",)], "before anything else is written"


async def test_it_is_written_so_that_no_loss_of_power_undoes_it(inventory: Inventory) -> None:
    machine = seen(inventory)
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        await inventory.assign(machine.id, PLACE, FLEET)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    written = next(number for number, text in enumerate(statements) if "INSERT INTO assignments" in text)
    (level,) = [text for text in statements[:written] if text.startswith("PRAGMA synchronous")][-1:]
    assert level == "PRAGMA synchronous = FULL"


async def test_all_at_once_get_different_names_and_one_leads(inventory: Inventory, file: Path) -> None:
    machines = [seen(inventory, number) for number in range(20)]
    given = await asyncio.gather(*(inventory.assign(one.id, PLACE, FLEET) for one in machines * 2))
    assert len({one.title for one in given}) == 20
    assert rows(file, "SELECT role, count(*) FROM assignments GROUP BY role ORDER BY role") == [
        ("controlplane", 1),
        ("worker", 19),
    ]


async def test_asking_again_changes_nothing(inventory: Inventory, file: Path) -> None:
    first = await inventory.assign(seen(inventory).id, PLACE, FLEET)
    again = await inventory.assign(first.id, place(name="arda-01", role=Role.CONTROLPLANE), FLEET)
    assert again == first
    assert rows(file, "SELECT count(*) FROM boot_events WHERE stage = 'assigned'") == [(1,)]


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (place(name="gandalf"), [("arda-01", "controlplane", 0), ("gandalf", "controlplane", 1)]),
        (place(role=Role.WORKER), [("arda-01", "worker", 1)]),
        (place(layer="ainur"), [("ainur-01", "server", 1), ("arda-01", "controlplane", 0)]),
    ],
    ids=["another name", "another role", "another layer"],
)
async def test_the_fleet_beats_what_was_assigned_by_itself_and_frees_no_name(
    inventory: Inventory, file: Path, wanted: PlaceRequest, left: list[tuple[str, str, int]]
) -> None:
    machine = await inventory.assign(seen(inventory).id, PLACE, FLEET)
    machine = await inventory.assign(machine.id, wanted, FLEET)
    assert machine.assignment
    assert rows(file, LEFT) == left
    assert (machine.title, machine.assignment.role.value, 1) in left


async def test_a_name_left_behind_is_not_given_in_another_layer(inventory: Inventory) -> None:
    before, now = fleet_of(arda=f"names: node-##\n{ARDA}"), fleet_of(ainur="names: node-##\n")
    machine = await inventory.assign(seen(inventory).id, PLACE, before)
    assert machine.title == "node-01"
    assert (await inventory.assign(machine.id, place(layer="ainur"), now)).title == "node-02"


async def test_a_forgotten_machine_s_name_stays_taken_until_the_fleet_frees_it(
    inventory: Inventory, file: Path
) -> None:
    machine = await inventory.assign(seen(inventory).id, PLACE, FLEET)
    await inventory.forget(machine.id, "anna")
    assert rows(file, LEFT) == [("arda-01", "controlplane", 0)]
    again = await inventory.assign(seen(inventory).id, PLACE, FLEET)
    assert again.assignment
    assert (again.id == machine.id, again.title, again.assignment.role) == (False, "arda-02", Role.WORKER)
    freed = fleet_of(arda=f"reuseNames: [arda-01]\n{ARDA}")
    other = await inventory.assign(seen(inventory, 2).id, PLACE, freed)
    assert other.assignment
    assert (other.title, other.assignment.role) == ("arda-01", Role.CONTROLPLANE)


async def test_a_name_of_another_machine_is_refused(inventory: Inventory, file: Path) -> None:
    await inventory.assign(seen(inventory).id, PLACE, FLEET)
    with pytest.raises(InventoryError) as caught:
        await inventory.assign(seen(inventory, 2).id, place(name="arda-01"), FLEET)
    assert str(caught.value) == (
        f"{file}: arda-01 of arda is already the name of machine 52:54:00:00:00:01; "
        "choose another name, or first run: iluvatar-pxe machines forget 52:54:00:00:00:01"
    )
    assert inventory.snapshot.machine("52:54:00:00:00:02").assignment is None  # type: ignore[union-attr]


async def test_a_machine_that_is_not_known_is_refused(inventory: Inventory) -> None:
    with pytest.raises(InventoryError, match="no longer exists"):
        await inventory.assign(UUID(int=7), PLACE, FLEET)


async def test_the_file_decides_and_not_memory(inventory: Inventory, file: Path) -> None:
    """Two daemons on one file by mistake."""
    other = Inventory(url_of(file))
    await other.open()
    first, second = seen(inventory, 1), seen(other, 2)
    given = await asyncio.gather(
        inventory.assign(first.id, PLACE, FLEET), other.assign(second.id, PLACE, FLEET)
    )
    assert {one.title for one in given} == {"arda-01", "arda-02"}
    await other.close()


async def test_a_locked_database_is_refused_and_nothing_is_in_force(inventory: Inventory, file: Path) -> None:
    machine = seen(inventory)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InventoryError, match="locked by another program"):
            await inventory.assign(machine.id, PLACE, FLEET)
    assert inventory.snapshot.by_id[machine.id].assignment is None
    assert (await inventory.assign(machine.id, PLACE, FLEET)).title == "arda-01"


async def test_a_commit_under_way_when_the_caller_gives_up_is_taken_in(
    inventory: Inventory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = seen(inventory)
    monkeypatch.setattr(recorder, "SLOW_SECONDS", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InventoryError, match=r"no answer for 0\.05 s"):
            await inventory.assign(machine.id, PLACE, FLEET)
        with pytest.raises(InventoryError, match=r"no answer for 0\.05 s"):
            await inventory.assign(machine.id, place(name="never"), FLEET)
    await until(lambda: inventory.snapshot.named("arda-01"))
    assert rows(file, LEFT) == [("arda-01", "controlplane", 1)]


async def test_a_caller_that_goes_away_does_not_undo_it(inventory: Inventory, file: Path) -> None:
    machine = seen(inventory)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(inventory.assign(machine.id, PLACE, FLEET))
        await until(inventory._recorder._lock.locked)
        task.cancel()
        await asyncio.wait({task})
    await until(lambda: inventory.snapshot.named("arda-01"))


@pytest.mark.parametrize("flushed", [True, False], ids=["while it is written", "before it is written"])
async def test_a_machine_merged_meanwhile_brings_its_name(
    inventory: Inventory,
    file: Path,
    flushed: bool,  # noqa: FBT001
) -> None:
    one, two = seen(inventory, 1), seen(inventory, 2)
    inventory.observe(sighting(one.macs[0]), Stage.NBP)  # it came further, so it absorbs the other
    inventory.touch(script(*two.macs, *one.macs), Stage.DISCOVER, vouched=True)
    if flushed:
        await inventory.set_window(0, "anna")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(inventory.assign(two.id, PLACE, FLEET))
        await until(inventory._recorder._lock.locked)
        inventory.observe(script(*one.macs, *two.macs), Stage.SCRIPT, vouched=True)
    machine = await task
    assert (machine.id, machine.title) == (one.id, "arda-01")
    assert dict(inventory.snapshot.by_id) == {machine.id: machine}
    await inventory.close()
    assert known(file)[two.macs[0]] == inventory.snapshot.by_id[one.id]
