"""Writes changes to the database in batches, in a thread; keeps them while that fails."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database.pending import Pending
from iluvatar_pxe.inventory.database.queries import Stored
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.problem import Problem

BATCH_SECONDS = 0.2
CLOSE_SECONDS = 2.0
_GRACE_SECONDS = 1.5
"""What work under way then gets to end: a statement that waits for a lock does so in 1 s."""
SLOW_SECONDS = 5.0
"""Work that takes longer counts as failed; it goes on all the same, for a thread cannot be stopped."""
_LONGEST_PAUSE_SECONDS = 10.0

T = TypeVar("T")
_log = structlog.get_logger()


class Recorder:
    """Owned by the event loop. The store is used by one task at a time."""

    def __init__(
        self,
        store: Store,
        pending: Pending,
        adopt: Callable[[Stored], None],
        recall: Callable[[Snapshot], None],
    ) -> None:
        """``adopt`` is told what the database holds each time that it was opened, and queues what that lacks.

        ``recall`` is told once which machines there are in a database that can only be read.
        """
        self._unopened: str | None = f"{store.path}: not opened yet; wait"
        self._store = store
        self._pending = pending
        self._adopt = adopt
        self._recall: Callable[[Snapshot], None] | None = recall
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._working: asyncio.Task[object] | None = None
        self._opened = False
        self._failure = Problem(self._log_failure, self._log_success, once=True)

    @property
    def health(self) -> str | None:
        """Return why recording last failed, or None."""
        return self._failure.text or self._unopened

    def wake(self) -> None:
        """Take notice that something was queued."""
        self._changed.set()

    async def open(self) -> None:
        """Try once to open the database, for 5 s at most; ``health`` says how it went."""
        await self._save_within(SLOW_SECONDS)

    async def run(self) -> None:
        """Write what is recorded, for ever; while that fails, try again after 0.4 s, then ever later up to 10 s."""
        pause = BATCH_SECONDS
        while True:
            if await self._save_within(SLOW_SECONDS):
                pause = BATCH_SECONDS
                await self._changed.wait()
            else:
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def perform(
        self, work: Callable[[], Awaitable[T]], seconds: float | None = None, *, save_first: bool = True
    ) -> T:
        """Write what is queued, then run ``work``, while nobody else uses the store; return what it returns.

        ``save_first`` is false where ``work`` itself writes what is queued, by ``save_with``.

        Raises InventoryError, also when that takes longer than ``seconds`` (5 s when None). Work that has begun then
        goes on, and what it does is taken in; work that has not never begins.
        """
        limit = SLOW_SECONDS if seconds is None else seconds
        return await self._exclusively(lambda: self._after_saving(work, always=save_first), limit)

    async def replace(self, work: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Run ``work`` while the file is closed, if possible after writing what is queued, and open it again."""

        async def closed() -> T:
            if self._opened:
                await self._try_to_save()
            self._opened = False
            await asyncio.to_thread(self._store.close)
            result = await work()
            await self.save()
            return result

        return await self._exclusively(closed, seconds)

    async def save(self, *, durably: bool = False) -> None:
        """Open the database if need be, and write what is queued; for ``work`` only."""
        self._changed.clear()
        if not self._opened:
            try:
                stored = await asyncio.to_thread(self._open)
            except InventoryError:
                await self._peek()
                raise
            self._adopt(stored)
            self._opened, self._recall = True, None
        if self._pending:
            await self._write(lambda _: None, durably=durably)
        self._unopened = None
        self._failure.clear()

    async def save_with(self, work: Callable[[Connection], T]) -> T:
        """Write what is queued at this moment and run ``work``, in one transaction; for ``perform``'s work only."""
        return await self._write(work, durably=True)

    async def close(self) -> None:
        """Write what is pending, for 3.5 s at most, and close the database. Call it when ``run`` has ended."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._lock.locked() or self._pending:
                    if not await self._save_within(CLOSE_SECONDS):
                        await asyncio.sleep(BATCH_SECONDS)
                self._opened = False
                await asyncio.to_thread(self._store.close)
        except TimeoutError:
            await self._give_up()

    async def _write(self, work: Callable[[Connection], T], *, durably: bool) -> T:
        batch = self._pending.take()
        try:
            return await asyncio.to_thread(self._store.write_with, batch, work, durably=durably)
        except (InventoryError, asyncio.CancelledError):
            self._pending.put_back(batch)
            self._opened = False  # the file may be another one when it works again
            raise

    async def _after_saving(self, work: Callable[[], Awaitable[T]], *, always: bool) -> T:
        if always or not self._opened:
            await self.save()
        return await work()

    async def _exclusively(self, work: Callable[[], Awaitable[T]], seconds: float) -> T:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._lock.acquire()
        except TimeoutError:
            raise self._slow(seconds) from None
        task = asyncio.create_task(self._holding_the_lock(work))
        task.add_done_callback(_take_notice)
        self._working = task
        done, _ = await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
        if not done:
            raise self._slow(seconds)
        return task.result()

    async def _holding_the_lock(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except InventoryError:
            self._changed.set()  # ``run`` finds out what is wrong, and when it works again
            raise
        finally:
            self._working = None
            self._lock.release()

    def _slow(self, seconds: float) -> InventoryError:
        return InventoryError(f"{self._store.path}: no answer for {seconds:g} s; check the disk (`dmesg`)")

    async def _try_to_save(self) -> None:
        try:
            await self.save()
        except InventoryError as error:
            _log.error("inventory-not-saved", problem=str(error))

    async def _save_within(self, seconds: float) -> bool:
        """Say whether everything pending was saved in time."""

        async def nothing_more() -> None:
            return

        try:
            await self.perform(nothing_more, seconds)
        except InventoryError as error:
            self._failure.set(str(error))
            return False
        return True

    async def _peek(self) -> None:
        """Know the machines of a database that cannot be written: they boot as before."""
        if self._recall:
            with suppress(InventoryError):  # nor read, which has been told
                self._recall((await asyncio.to_thread(self._store.peek)).snapshot)
                self._recall = None

    def _open(self) -> Stored:
        self._store.open()
        return self._store.load()

    def _log_failure(self, problem: str) -> None:
        _log.error("inventory-unavailable", problem=problem, boots="go on and are recorded later")

    def _log_success(self) -> None:
        _log.info("inventory-available-again", dropped_events=self._pending.dropped)

    async def _give_up(self) -> None:
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=_GRACE_SECONDS)
        if self._working is None:
            await asyncio.to_thread(self._store.close)
        else:  # its thread is stuck in the kernel, with the file in its hands
            self._working.cancel()
            await asyncio.wait({self._working})
        left = self._pending.take()
        if left.machines:
            lost = {"machines": len(left.machines), "events": len(left.events)}
            _log.error("inventory-not-saved", problem=self.health, **lost)


def _take_notice(task: asyncio.Task[T]) -> None:
    """Ignore errors of abandoned work, which was reported as slow."""
    if not task.cancelled():
        task.exception()
