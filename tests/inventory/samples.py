"""Machines, events and bounded waiting for this directory's tests."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.read_only import read_only
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting

MAC = "52:54:00:00:00:01"
NOW = datetime(2026, 11, 22, 18, 30, 0, 123000, tzinfo=UTC)
DEADLINE_SECONDS = 40


class Clock:
    """A monotonic clock that goes forward when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def machine(number: int = 1, **changes: Any) -> Machine:
    known: dict[str, Any] = {
        "id": UUID(int=number),
        "macs": (f"52:54:00:00:00:{number:02x}",),
        "generation": 1,
        "reached": Stage.NBP,
        "first_seen": NOW,
        "last_seen": NOW,
        "firmware": Firmware.UEFI_PXE,
    }
    known |= changes
    return Machine(**{"furthest": known["reached"]} | known)


def event(number: int = 1, **changes: Any) -> BootEvent:
    known: dict[str, Any] = {
        "at": NOW,
        "machine_id": UUID(int=number),
        "generation": 1,
        "stage": Stage.NBP,
        "detail": "ipxe.efi",
        "bytes": 1024,
        "milliseconds": 12.5,
    }
    return BootEvent(**known | changes)


def sighting(mac: str = MAC, **changes: Any) -> Sighting:
    known: dict[str, Any] = {"firmware": Firmware.UEFI_PXE, "from_nowhere": True}
    return Sighting(mac=mac, **known | changes)


def script(*macs: str, **changes: Any) -> Sighting:
    """Return what an iPXE script tells, whose card is the first of ``macs``."""
    return sighting(macs[0], macs=macs, **{"firmware": Firmware.IPXE} | changes)


def batch(machines: Iterable[Machine] = (), events: Iterable[BootEvent] = (), **more: Any) -> Batch:
    return Batch(machines={one.id: one for one in machines}, events=tuple(events), **more)


def known(file: Path) -> dict[str, Machine]:
    """Return the machines in a database by MAC."""
    snapshot = read_only(url_of(file)).snapshot
    return {mac: snapshot.by_id[owner] for mac, owner in snapshot.owners.items()}


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


def rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what must come about; the deadline is there to end a failing test, not to measure."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  # databases and other processes set no asyncio.Event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(inventory: Inventory) -> AsyncIterator[None]:
    """As the daemon does it: run in a task group, cancelled at the end, then closed."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(inventory.run())
            try:
                yield
            finally:
                task.cancel()
    finally:
        await inventory.close()
