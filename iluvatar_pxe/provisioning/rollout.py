"""Applies a fleet: all decisions use it at once, lost assignments are released, and changes are logged per machine."""

import asyncio
import math
from collections.abc import Iterable

import structlog
from msgspec import Struct

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.differences import differences, is_released
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import FleetError, InventoryError, SealError
from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notification_checks import secrets_in_clear
from iluvatar_pxe.fleet.sealed import sealed_paths
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.inventory.database.commits import CommitRecord
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.ainur.fragment_check import check_fragments
from iluvatar_pxe.layers.ainur.schemas import cloud_config_schema
from iluvatar_pxe.layers.arda.patch_check import check_patches
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.effects import effects_on_installed
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.values import replace

MOST_UNTOLD = 64
"""Commits whose changes are still to be logged; pushes in quick succession are logged together."""
MOST_LINES = 50
"""Changes of one commit that are logged; the inventory has more of them."""

_log = structlog.get_logger()


class _News(Struct, frozen=True):
    old: Fleet | None
    new: Fleet
    snapshot: Snapshot
    """What was known when it was applied."""
    commit: Commit | None
    rewritten: bool


class Rollout:
    """The listener of whoever reads the fleet."""

    def __init__(
        self,
        applied: Applied,
        store: AssetStore,
        inventory: Inventory,
        opener: Opener,
        *,
        repository_decides: bool,
        events: EventLog | None = None,
    ) -> None:
        """``repository_decides``: names and roles are given by commits, not by the database.

        ``events`` is told which commits are in force, and which are refused.
        """
        self._events = EventLog() if events is None else events
        self._opener = opener
        self._problem = Problem(lambda why: _log.error("fleet.sealed", why=why))
        self._applied = applied
        self._store = store
        self._inventory = inventory
        self._repository_decides = repository_decides
        self.changed = Changed()
        """Notified as soon as machines are served by another fleet."""
        self.in_force: Fleet | None = None
        """The fleet that was applied last, once its lost assignments are released."""
        self.adopted = Changed()
        """Told when ``in_force`` is set."""
        self._newest: Fleet | None = None
        self._news: asyncio.Queue[_News] = asyncio.Queue(MOST_UNTOLD)

    @property
    def problem(self) -> str | None:
        """Why a part of the applied fleet cannot be read, or None."""
        return self._problem.text

    async def adopt(
        self, fleet: Fleet, commit: Commit | None, *, rewritten: bool = False, most_age: float = math.inf
    ) -> None:
        """Go by this fleet from now on."""
        await _warn_of_secrets(fleet)
        fleet = await self._opened(fleet)
        old, self._newest = self._newest, fleet
        snapshot = self._inventory.snapshot
        self._applied.fleet = fleet
        if self._repository_decides:
            self._inventory.follow_window(fleet.window, most_age)
        self.changed.tell()
        await self._take_back(old or Fleet(), fleet)
        self.in_force = fleet
        _log.info("fleet.applied", machines=len(fleet.names), **_facts(commit, rewritten=rewritten))
        self._publish(EventKind.FLEET_APPLIED, commit, f"machines: {len(fleet.names)}")
        self.adopted.tell()
        self._tell(_News(old, fleet, snapshot, commit, rewritten))

    async def reject(self, commit: Commit | None, error: FleetError) -> None:
        """Log every fault, and record the first."""
        for finding in error.findings:
            _log.error("fleet.rejected", why=finding, **({"commit": commit.id[:12]} if commit else {}))
        self._publish(EventKind.FLEET_REFUSED, commit, error.findings[0])
        if commit:
            await self._record(_record(commit, problem=error.findings[0]))

    async def run(self) -> None:
        """Find out what has changed for whom, log and record it, until cancelled."""
        while True:
            await self._tell_of(await self._news.get())

    async def _opened(self, fleet: Fleet) -> Fleet:
        """Return the fleet with its sealed files opened, as far as this host's key opens them.

        Only here it is known what sealed patches make of configurations, and what sealed cloud-configs say.
        """
        try:
            texts = await asyncio.to_thread(self._opener.open, fleet.texts)
        except SealError as error:
            self._problem.set(str(error))
            return fleet
        opened = replace(fleet, texts=texts)
        wrong = await asyncio.to_thread(_wrong_with, opened)
        why = _why_closed(sealed_paths(texts), self._opener.recipient)
        self._problem.set(why or next(iter(wrong), None))
        return opened

    def _publish(self, kind: EventKind, commit: Commit | None, words: str) -> None:
        if commit is None:
            self._events.publish(kind, "", words)
            return
        told = f"{commit.id[:12]} by {commit.author}: {words}"
        self._events.publish(kind, commit.id, told, author=commit.author, title=commit.subject, detail=words)

    def _tell(self, news: _News) -> None:
        try:
            self._news.put_nowait(news)
        except asyncio.QueueFull:
            _log.warning(
                "fleet.untold", why="too many commits at once", **_facts(news.commit, rewritten=False)
            )

    async def _tell_of(self, news: _News) -> None:
        changes: list[tuple[str, str]] = []
        if news.old:
            context = Context(
                ready=self._store.ready,
                links=self._store.links,
                window_open=self._inventory.window.is_open,
            )
            found = await asyncio.to_thread(
                differences, news.old, news.new, news.snapshot, context, await self._retired()
            )
            effects = await asyncio.to_thread(effects_on_installed, news.old, news.new, news.snapshot)
            changes = [(one.machine, one.text) for one in (*found, *effects)]
        for machine, text in changes[:MOST_LINES]:
            _log.info("fleet.changed", machine=machine, change=text)
        if len(changes) > MOST_LINES:
            _log.info(
                "fleet.changed",
                machines=len(changes) - MOST_LINES,
                change="of more machines, see fleet_history",
            )
        if news.commit:
            await self._record(_record(news.commit, changes=changes, rewritten=news.rewritten))

    async def _retired(self) -> list[Reservation]:
        """Return the names that stay taken; none while the database is away, which it reports itself."""
        try:
            return await self._inventory.retired_names()
        except InventoryError:
            return []

    async def _record(self, record: CommitRecord) -> None:
        try:
            await self._inventory.record_commit(record)
        except InventoryError as error:
            _log.error("fleet.unrecorded", commit=record.commit_id[:12], why=str(error))

    async def _take_back(self, old: Fleet, new: Fleet) -> None:
        before = old if self._repository_decides else Fleet()
        machines = self._inventory.snapshot.by_id.values()
        lost = [machine.id for machine in machines if is_released(machine, before, new)]
        if not lost:
            return
        try:
            await self._inventory.release(lost, "the fleet's repository")
        except InventoryError as error:
            _log.error("fleet.release", why=str(error))


async def _warn_of_secrets(fleet: Fleet) -> None:
    """Log which files should have been sealed: a repository elsewhere has no hook that says so."""
    if found := await asyncio.to_thread(secrets_in_clear, fleet):
        _log.warning("fleet.clear_secrets", why=found[0], files=len(found))


def _wrong_with(fleet: Fleet) -> list[str]:
    return [*check_patches(fleet, schema_of), *check_fragments(fleet, cloud_config_schema)]


def _why_closed(paths: tuple[str, ...], recipient: str) -> str | None:
    if not paths:
        return None
    which = f"{paths[0]} and {len(paths) - 1} more are" if paths[1:] else f"{paths[0]} is"
    remedy = "run: iluvatar-pxe fleet recover --key FILE"
    return f"{which} sealed, but not to this host's key {recipient}; {remedy}"


def _record(
    commit: Commit, *, problem: str = "", changes: Iterable[tuple[str, str]] = (), rewritten: bool = False
) -> CommitRecord:
    return CommitRecord(
        commit_id=commit.id,
        at=wall_clock(),
        author=commit.author,
        committed_at=commit.at,
        subject=commit.subject,
        problem=problem,
        rewritten=rewritten,
        changes=tuple(changes),
    )


def _facts(commit: Commit | None, *, rewritten: bool) -> dict[str, object]:
    if commit is None:
        return {}
    facts: dict[str, object] = {"commit": commit.id[:12], "author": commit.author, "subject": commit.subject}
    return facts | ({"rewritten": True} if rewritten else {})
