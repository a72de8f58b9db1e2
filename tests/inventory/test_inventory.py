"""The inventory answers from memory at once, and the database follows when it can."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory.samples import (
    DEADLINE_SECONDS,
    MAC,
    batch,
    event,
    known,
    machine,
    rows,
    running,
    sighting,
    until,
    url_of,
)
from structlog.testing import capture_logs

from iluvatar_pxe.inventory import memory
from iluvatar_pxe.inventory.database import recorder
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage

HERE = IPv4Address("192.168.1.57")


@pytest.fixture
def inventory(file: Path) -> Inventory:
    return Inventory(url_of(file))


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another program in the middle of a transaction."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


def stored(file: Path, *machines_and_events: tuple[int, int]) -> None:
    """Make a database with machines of these numbers, each at that boot."""
    store = Store(url_of(file))
    store.open()
    for number, generation in machines_and_events:
        store.write(batch([machine(number, generation=generation)], [event(number, generation=generation)]))
    store.close()


PICTURES = b"holiday pictures" * 1000


def damage(file: Path) -> None:
    file.write_bytes(PICTURES)


def still_damaged(file: Path) -> bool:
    return file.read_bytes() == PICTURES


@contextmanager
def directory_at(file: Path) -> Iterator[None]:
    file.mkdir()
    yield
    file.rmdir()


def put_aside(file: Path) -> Path:
    """Move a database away with its -wal and -shm, as its owner would; return where it is now."""
    for part in file.parent.glob(f"{file.name}*"):
        part.rename(part.with_name(f"aside-{part.name}"))
    return file.with_name(f"aside-{file.name}")


def list_of(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def recorded_stages(file: Path) -> list[str]:
    return [stage for (stage,) in rows(file, "SELECT stage FROM boot_events ORDER BY id")]


def test_a_machine_is_known_at_once(inventory: Inventory) -> None:
    before = inventory.snapshot
    seen = inventory.observe(sighting(serial="CZ1"), Stage.DISCOVER)
    assert inventory.snapshot.machine(MAC) is seen
    assert before.machine(MAC) is None
    again = inventory.observe(sighting(), Stage.NBP)
    assert (again.id, again.serial, again.generation, again.reached) == (seen.id, "CZ1", 1, Stage.NBP)


def test_a_snapshot_cannot_be_changed(inventory: Inventory) -> None:
    inventory.observe(sighting(), Stage.DISCOVER)
    with pytest.raises(TypeError):
        del inventory.snapshot.owners[MAC]  # type: ignore[attr-defined]


def test_a_machine_is_found_by_the_address_it_was_last_seen_at(inventory: Inventory) -> None:
    assert inventory.machine_at(HERE) is None
    inventory.observe(sighting(address=HERE), Stage.NBP)
    latest = inventory.observe(sighting(), Stage.IPXE_DISCOVER)
    assert inventory.machine_at(HERE) is latest
    other = inventory.observe(sighting("52:54:00:00:00:02", address=HERE), Stage.NBP)
    assert inventory.machine_at(HERE) is other


def test_addresses_are_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST_ADDRESSES", 2)
    inventory = Inventory(url_of(file))
    for last in (1, 2, 1, 3):
        inventory.observe(sighting(address=IPv4Address(last)), Stage.NBP)
    assert [inventory.machine_at(IPv4Address(last)) is not None for last in (1, 2, 3)] == [True, False, True]


async def test_what_is_observed_is_recorded(inventory: Inventory, file: Path) -> None:
    await inventory.open()
    assert inventory.health is None
    async with running(inventory):
        inventory.observe(sighting(), Stage.DISCOVER)
        await until(lambda: recorded_stages(file) == ["discover"])
        inventory.observe(sighting(), Stage.NBP, detail="ipxe.efi", size=1024, milliseconds=2.5)
        await until(lambda: recorded_stages(file) == ["discover", "nbp"])
    assert rows(
        file, "SELECT stage, detail, bytes, milliseconds FROM boot_events ORDER BY id DESC LIMIT 1"
    ) == [("nbp", "ipxe.efi", 1024, 2.5)]


async def test_a_restart_goes_on_where_the_last_run_ended(inventory: Inventory, file: Path) -> None:
    async with running(inventory):
        before = inventory.observe(sighting(serial="CZ1"), Stage.CONFIG)
    again = Inventory(url_of(file))
    await again.open()
    seen = again.observe(sighting(), Stage.DISCOVER)
    await again.close()
    assert (seen.id, seen.generation, seen.serial) == (before.id, 2, "CZ1")
    assert rows(file, "SELECT boots, reached FROM machine_overview") == [(2, "discover")]


async def test_closing_twice_or_unopened_is_harmless(inventory: Inventory, file: Path) -> None:
    await inventory.close()
    await inventory.close()
    assert list_of(file.parent) == []


STEPS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(Stage), st.integers(0, 3)), max_size=30)


@settings(max_examples=25)
@given(STEPS, st.booleans())
def test_a_clean_stop_loses_nothing(steps: list[tuple[int, Stage, int]], opened: bool) -> None:  # noqa: FBT001
    """Wherever the stop finds the recorder: idle, collecting, opening or writing."""

    async def daemon(file: Path) -> Inventory:
        inventory = Inventory(url_of(file))
        if opened:
            await inventory.open()
        async with running(inventory):
            for number, stage, yields in steps:
                inventory.observe(sighting(f"52:54:00:00:00:{number:02x}"), stage)
                for _ in range(yields):
                    await asyncio.sleep(0)
        return inventory

    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "BATCH_SECONDS", 0.001)
        file = Path(directory) / "inventory.db"
        inventory = asyncio.run(daemon(file))
        if not file.exists():
            assert not steps
            return
        assert recorded_stages(file) == [stage.label for _, stage, _ in steps]
        kept = {mac: (m.id, m.generation, m.reached) for mac, m in known(file).items()}
    there = inventory.snapshot
    found = {mac: there.by_id[owner] for mac, owner in there.owners.items()}
    assert kept == {mac: (m.id, m.generation, m.reached) for mac, m in found.items()}


async def test_kill_9_after_the_batch_keeps_it(file: Path) -> None:
    with killed_at_the_end("scenario_observe", file):
        await until(lambda: written(file) == ["discover", "nbp"])
    assert known(file)[MAC].serial == "CZ1"
    assert recorded_stages(file) == ["discover", "nbp"]
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]


@contextmanager
def killed_at_the_end(scenario: str, file: Path) -> Iterator[None]:
    command = [sys.executable, "-m", f"inventory.{scenario}", str(file)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as daemon:
        try:
            yield
        finally:
            daemon.kill()


def written(file: Path) -> list[str]:
    with suppress(sqlite3.OperationalError):  # not there yet
        return recorded_stages(file)
    return []


async def test_a_lock_stops_the_recording_and_nothing_else(inventory: Inventory, file: Path) -> None:
    await inventory.open()
    with capture_logs() as logs:
        async with running(inventory):
            with locked(file):
                inventory.observe(sighting(), Stage.DISCOVER)
                await until(lambda: inventory.health)
                assert "locked by another program" in (inventory.health or "")
                inventory.observe(sighting(), Stage.NBP)
                inventory.observe(sighting("52:54:00:00:00:02"), Stage.DISCOVER)
            await until(lambda: inventory.health is None)
    assert recorded_stages(file) == ["discover", "nbp", "discover"]
    assert [line["event"] for line in logs] == ["inventory-unavailable", "inventory-available-again"]


async def test_health_follows_the_cause_and_the_log_says_it_once(inventory: Inventory, file: Path) -> None:
    damage(file)
    with capture_logs() as logs:
        async with running(inventory):
            await until(lambda: "damaged" in (inventory.health or ""))
            put_aside(file)
            with directory_at(file):
                await until(lambda: "cannot be opened" in (inventory.health or ""))
            await until(lambda: inventory.health is None)
    assert [line["event"] for line in logs] == ["inventory-unavailable", "inventory-available-again"]
    assert "damaged" in logs[0]["problem"]


async def test_a_stop_while_a_write_waits_for_a_lock_writes_it_once(inventory: Inventory, file: Path) -> None:
    await inventory.open()
    with locked(file):
        async with asyncio.TaskGroup() as group:
            run = group.create_task(inventory.run())
            inventory.observe(sighting(), Stage.DISCOVER)
            await until(lambda: not inventory._pending)  # it is being written
            run.cancel()
        inventory.observe(sighting(), Stage.NBP)
    await inventory.close()
    assert recorded_stages(file) == ["discover", "nbp"]


async def test_a_stop_does_not_wait_for_ever(inventory: Inventory, file: Path) -> None:
    await inventory.open()
    inventory.observe(sighting(), Stage.DISCOVER)
    with capture_logs() as logs, locked(file):
        async with asyncio.timeout(DEADLINE_SECONDS):
            await inventory.close()
    assert logs[-1]["event"] == "inventory-not-saved"
    assert (logs[-1]["machines"], logs[-1]["events"]) == (1, 1)
    assert recorded_stages(file) == []


async def test_what_a_cancelled_write_took_is_told_as_lost(
    inventory: Inventory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread is stuck for longer than a stop may take."""
    await inventory.open()
    monkeypatch.setattr(recorder, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(recorder, "_GRACE_SECONDS", 0.05)
    with capture_logs() as logs, locked(file):
        async with asyncio.TaskGroup() as group:
            run = group.create_task(inventory.run())
            inventory.observe(sighting(), Stage.DISCOVER)
            await until(lambda: not inventory._pending)
            run.cancel()
        inventory.observe(sighting(), Stage.NBP)
        await inventory.close()
    told = [(line["machines"], line["events"]) for line in logs if line["event"] == "inventory-not-saved"]
    assert told == [(1, 2)]


async def test_a_disk_that_does_not_answer_is_a_fault_too(
    inventory: Inventory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inventory.open()
    monkeypatch.setattr(recorder, "SLOW_SECONDS", 0.01)
    async with running(inventory):
        with locked(file):
            inventory.observe(sighting(), Stage.DISCOVER)
            await until(lambda: "no answer for 0.01 s" in (inventory.health or ""))
        monkeypatch.undo()
        await until(lambda: inventory.health is None)
    assert recorded_stages(file) == ["discover"]


async def test_a_damaged_database_does_not_keep_machines_from_booting(
    inventory: Inventory, file: Path
) -> None:
    damage(file)
    await inventory.open()
    assert f"{file}: it is damaged or not a database" in (inventory.health or "")
    async with running(inventory):
        seen = inventory.observe(sighting(), Stage.DISCOVER)
        assert still_damaged(put_aside(file))
        await until(lambda: inventory.health is None)
        inventory.observe(sighting(), Stage.NBP)
    assert rows(file, "SELECT id, reached FROM machine_overview") == [(str(seen.id), "nbp")]
    assert recorded_stages(file) == ["discover", "nbp"]


async def test_boots_seen_without_the_database_are_counted_on(inventory: Inventory, file: Path) -> None:
    stored(file, (1, 7), (2, 4))
    away = put_aside(file)
    damage(file)
    await inventory.open()
    async with running(inventory):
        inventory.observe(sighting(), Stage.DISCOVER)
        inventory.observe(sighting("52:54:00:00:00:03"), Stage.DISCOVER)
        away.replace(file)
        await until(lambda: inventory.health is None)
        seen = inventory.observe(sighting(), Stage.NBP)
    assert (seen.id, seen.generation) == (machine(1).id, 8)
    assert len(inventory.snapshot.owners) == 3
    assert rows(file, "SELECT macs, boots FROM machine_overview ORDER BY macs") == [
        ("52:54:00:00:00:01", 8),
        ("52:54:00:00:00:02", 4),
        ("52:54:00:00:00:03", 1),
    ]
    assert rows(file, f"SELECT boot, stage FROM boot_timeline WHERE mac = '{MAC}'") == [
        (7, "nbp"),
        (8, "discover"),
        (8, "nbp"),
    ]


async def test_a_database_replaced_after_a_fault_gets_everything_known(
    inventory: Inventory, file: Path
) -> None:
    """Its owner puts a new file in the place of one that broke while the daemon ran."""
    await inventory.open()
    async with running(inventory):
        inventory.observe(sighting(), Stage.DISCOVER)
        await until(lambda: recorded_stages(file) == ["discover"])
        with locked(file):
            inventory.observe(sighting("52:54:00:00:00:02"), Stage.DISCOVER)
            await until(lambda: inventory.health)
            put_aside(file)
            await until(lambda: inventory.health is None)
    assert rows(file, "SELECT count(*) FROM machine_overview") == [(2,)]


async def test_events_that_find_no_room_are_counted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iluvatar_pxe.inventory.database.pending.MOST_EVENTS", 2)
    inventory = Inventory(url_of(file))
    for stage in (Stage.DISCOVER, Stage.NBP, Stage.IPXE_DISCOVER):
        inventory.observe(sighting(), stage)
    assert inventory._pending.dropped == 1
    await inventory.close()
    assert recorded_stages(file) == ["nbp", "ipxe-discover"]
