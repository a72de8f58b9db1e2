"""Brings changes to the database, in batches and in a thread; keeps them while that fails."""

import asyncio
from collections.abc import Callable

import structlog

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.adopt import Adoption
from iluvatar_pxe.inventory.pending import Pending
from iluvatar_pxe.inventory.store import Store
from iluvatar_pxe.machines.model import BootEvent, Machine, Snapshot

BATCH_SECONDS = 0.2
CLOSE_SECONDS = 2.0
_GRACE_SECONDS = 1.5
"""What an attempt under way then gets to end: a statement that waits for a lock does so in 1 s."""
_SLOW_SECONDS = 5.0
"""An attempt that takes longer counts as failed; it goes on all the same, for a thread cannot be stopped."""
_LONGEST_PAUSE_SECONDS = 10.0

_log = structlog.get_logger()


class Recorder:
    """Owned by the event loop. The store is used by one attempt at a time; ``health`` says why the last failed."""

    def __init__(self, store: Store, adopt: Callable[[Snapshot], Adoption]) -> None:
        """``adopt`` is told what the database holds each time that it was opened."""
        self.health: str | None = f"{store.path}: not opened yet; wait"
        self._store = store
        self._adopt = adopt
        self._pending = Pending()
        self._changed = asyncio.Event()
        self._opened = False
        self._attempt: asyncio.Task[None] | None = None
        self._failing = False

    @property
    def dropped_events(self) -> int:
        """How many events will never be recorded, because the database was away for too long."""
        return self._pending.dropped

    def record(self, machine: Machine, *events: BootEvent) -> None:
        """Queue a change; neither blocks nor fails."""
        self._pending.add(machine, *events)
        self._changed.set()

    async def open(self) -> None:
        """Try once to open the database, for 5 s at most; ``health`` says how it went."""
        await self._save_within(_SLOW_SECONDS)

    async def run(self) -> None:
        """Write what is recorded, for ever; while that fails, try again after 0.4 s, then ever later up to 10 s."""
        pause = BATCH_SECONDS
        while True:
            if await self._save_within(_SLOW_SECONDS):
                pause = BATCH_SECONDS
                await self._changed.wait()
            else:
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Write what is pending, for 3.5 s at most, and close the database. Call it when ``run`` has ended."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._attempt or self._pending:
                    if not await self._save_within(CLOSE_SECONDS):
                        await asyncio.sleep(BATCH_SECONDS)
                self._opened = False
                await asyncio.to_thread(self._store.close)
        except TimeoutError:
            await self._give_up()

    async def _save_within(self, seconds: float) -> bool:
        """Say whether everything pending was saved in time; an attempt that was not is waited for next time."""
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._save())
        done, _ = await asyncio.wait({self._attempt}, timeout=seconds)
        if not done:
            self._failed(f"{self._store.path}: no answer for {seconds:g} s; check the disk (`dmesg`)")
            return False
        attempt, self._attempt = self._attempt, None
        try:
            attempt.result()
        except InventoryError as error:
            self._failed(str(error))
            return False
        self._succeeded()
        return True

    async def _save(self) -> None:
        self._changed.clear()
        if not self._opened:
            adoption = self._adopt(await asyncio.to_thread(self._open))
            self._pending.rename(adoption.renamed, adoption.unwritten)
            self._opened = True
        if not self._pending:
            return
        batch = self._pending.take()
        try:
            await asyncio.to_thread(self._store.write, batch.machines.values(), batch.events)
        except (InventoryError, asyncio.CancelledError):
            self._pending.put_back(batch)
            self._opened = False  # the file may be another one when it works again
            raise

    def _open(self) -> Snapshot:
        self._store.open()
        return self._store.load()

    def _failed(self, problem: str) -> None:
        self.health = problem
        if not self._failing:
            self._failing = True
            _log.error("inventory-unavailable", problem=problem, boots="go on and are recorded later")

    def _succeeded(self) -> None:
        self.health = None
        if self._failing:
            self._failing = False
            _log.info("inventory-available-again", dropped_events=self.dropped_events)

    async def _give_up(self) -> None:
        if self._attempt is not None:
            await self._save_within(_GRACE_SECONDS)
        if self._attempt is None:
            await asyncio.to_thread(self._store.close)
        else:  # its thread is stuck in the kernel, with the file in its hands
            self._attempt.cancel()
            await asyncio.wait({self._attempt})
            self._attempt = None
        left = self._pending.take()
        if left.machines:
            lost = {"machines": len(left.machines), "events": len(left.events)}
            _log.error("inventory-not-saved", problem=self.health, **lost)
