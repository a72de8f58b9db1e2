"""Follows the fleet's branch and applies each new valid commit; commits by pushing to the repository's origin."""

import asyncio
import math
import time

import structlog

from iluvatar_pxe.errors import FleetError, InvalidDraftError, LostRaceError, RepositoryError
from iluvatar_pxe.gitops.compare_and_swap import Draw, compare_and_swap
from iluvatar_pxe.gitops.kept import KeptFile, last_applied
from iluvatar_pxe.gitops.listener import Listener
from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.mending import is_whole, mend_objects
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision
from iluvatar_pxe.gitops.repository.stale_locks import remove_stale_locks
from iluvatar_pxe.gitops.repository.tree import read_tree
from iluvatar_pxe.problem import Problem

FIRST_SECONDS = 15.0
"""How long the very first start waits for a fleet; then machines are served without one."""
MEND_SECONDS = 60.0
"""Between two attempts to mend a damaged repository."""
_WRITABLE = "make it writable, or the next start may know an older fleet"

_log = structlog.get_logger()


class Follower:
    """Follows one branch. The last valid state stays applied; ``problem`` says why it is not the newest."""

    def __init__(self, origin: Origin, listener: Listener) -> None:
        self._origin = origin
        self._listener = listener
        self._changing = asyncio.Lock()
        self._woken = asyncio.Event()
        self._rejected = ""
        self._noted = ""
        self.in_force: Revision | None = None
        self._is_read = False
        """Whether ``in_force`` was read from the repository since the start."""
        self._problem = Problem(
            lambda why: _log.error("fleet.problem", why=why), lambda: _log.info("fleet.well")
        )
        self._unnoted = Problem(lambda why: _log.error("fleet.unnoted", why=why))
        self._kept = KeptFile.of(origin.repository)
        self._mended = -MEND_SECONDS
        self._newest_at = -math.inf
        """When the applied commit was last known to be the newest, by the monotonic clock."""

    async def text(self, path: str) -> str:
        """Return what a file has in the applied commit, nothing where there is none; raises RepositoryError."""
        return await self._origin.repository.text(self.in_force.commit.id, path) if self.in_force else ""

    @property
    def problem(self) -> str | None:
        """Return why the newest commit is not applied, or None."""
        return self._problem.text

    @property
    def unnoted(self) -> str | None:
        """Return why the applied commit cannot be written down for the next start, or None."""
        return self._unnoted.text

    async def start(self) -> None:
        """Apply the last applied commit; the newest follows when this runs. On the first start, apply the newest.

        An origin that does not answer holds nothing up for long. Raises FleetError when there is no valid state at all.
        """
        self.in_force = await last_applied(self._origin.repository)
        self._woken.set()
        if self.in_force:
            await self._listener.adopt(self.in_force.fleet, self.in_force.commit)
            return
        try:
            async with asyncio.timeout(FIRST_SECONDS):
                await self._follow()
        except RepositoryError as error:
            self._problem.set(str(error))
        except TimeoutError:
            self._problem.set(
                f"{self._origin.repository.path}: no fleet arrived within {FIRST_SECONDS:g} s; check that its origin is reachable"
            )

    async def run(self) -> None:
        """Look whenever it is worth it, until cancelled."""
        while True:
            await self._wait()
            await self.refresh()

    def wake(self) -> None:
        """Have it look now."""
        self._woken.set()

    async def refresh(self) -> None:
        """Apply the newest commit, if it is valid and not applied yet."""
        async with self._changing:
            await asyncio.to_thread(remove_stale_locks, self._origin.repository.path)
            try:
                await self._follow()
            except RepositoryError as error:
                self._problem.set(str(error))
                await self._mend()
            except FleetError as error:
                self._problem.set(self._refusal(error))

    async def commit(self, draw: Draw) -> Revision:
        """Commit what ``draw`` makes of the newest revision, and return the applied revision.

        Raises RepositoryError where the origin cannot be reached or written, or its newest commit is not valid;
        InvalidDraftError where what would be committed is not; LostRaceError when others were quicker each time. ``draw`` may be called again and
        again, and raises what it likes.
        """
        async with self._changing:
            return await compare_and_swap(self._origin.repository.path, self._base, draw, self._push)

    async def _base(self, lost: int) -> Revision:
        """Return the applied revision if it is the newest known one."""
        if lost or self.problem or self.in_force is None:
            try:
                await self._follow()
            except FleetError as error:
                raise RepositoryError(self._refusal(error)) from error
        if self.in_force is None:
            raise RepositoryError(
                f"{self._origin.repository.path}: has not been read yet; wait, or check its origin"
            )
        return self.in_force

    async def _push(self, base: Revision, changes: Changes) -> Revision:
        repository = self._origin.repository
        draft = await repository.draft(base.commit.id, changes)
        try:
            revision = await read_revision(repository, draft, base)
        except FleetError as error:
            raise InvalidDraftError(f"the change to commit is not valid: {error.findings[0]}") from error
        try:
            await self._origin.push(base.commit.id, draft)
        except LostRaceError:
            raise
        except RepositoryError:
            await asyncio.to_thread(remove_stale_locks, repository.path)
            raise
        self._newest_at = time.monotonic()
        await self._put_in_force(revision)
        return revision

    async def _follow(self) -> None:
        """Raises RepositoryError, and FleetError once for each commit that is not valid and again when asked again."""
        asked = time.monotonic()
        newest = await self._origin.newest()
        old = self.in_force
        if old and old.commit.id == newest:
            if not self._is_read:  # what is kept beside the repository says nothing of that
                await read_tree(self._origin.repository.git, newest)
                self._is_read = True
            self._newest_at = asked
            self._problem.clear()
            await self._note(old)
            return
        try:
            revision = await read_revision(self._origin.repository, newest, old)
        except FleetError as error:
            if newest != self._rejected:
                self._rejected = newest
                await self._listener.reject(await self._origin.repository.describe(newest), error)
            raise
        goes_on = old is None or await self._origin.repository.is_ancestor(old.commit.id, newest)
        await self._put_in_force(revision, rewritten=not goes_on)
        self._newest_at = asked

    async def _put_in_force(self, revision: Revision, *, rewritten: bool = False) -> None:
        self.in_force, self._is_read = revision, True
        self._rejected = ""
        self._problem.clear()
        age = math.inf if rewritten else time.monotonic() - self._newest_at
        await self._listener.adopt(revision.fleet, revision.commit, rewritten=rewritten, most_age=age)
        await self._note(revision)

    async def _mend(self) -> None:
        """Mend the repository where it is damaged, and look again; not again and again."""
        repository, now = self._origin.repository, time.monotonic()
        if now < self._mended + MEND_SECONDS or await is_whole(repository):
            return
        self._mended = now
        tree = self.in_force.tree if self.in_force else None
        try:
            await mend_objects(
                repository, self._origin.spare, tree.texts if tree else {}, tree.commit if tree else None
            )
            await self._follow()
        except FleetError as error:
            self._problem.set(self._refusal(error))
        except (OSError, RepositoryError) as error:
            what = self._origin.spare.url if self._origin.spare else "[fleet] mirror is not set"
            _log.error("fleet.unmended", repository=str(repository.path), tried=what, why=str(error))

    async def _note(self, revision: Revision) -> None:
        """Record what is applied, for commands and the next start; a failure does not stop it from being applied."""
        repository = self._origin.repository
        if revision.commit.id == self._noted:
            return
        try:
            await asyncio.to_thread(
                self._kept.write, revision.tree.texts, revision.commit, revision.tree.objects
            )
            await repository.put_in_force(revision.commit.id)
        except OSError as error:
            self._unnoted.set(f"{self._kept.path}: cannot be written: {error.strerror}; {_WRITABLE}")
        except RepositoryError as error:
            self._unnoted.set(f"{error}; {_WRITABLE}")
        else:
            self._noted = revision.commit.id
            self._unnoted.clear()

    def _refusal(self, error: FleetError) -> str:
        return f"commit {self._rejected[:12]} is not applied: {error.findings[0]}"

    async def _wait(self) -> None:
        """Wait until the origin changes, or until woken."""
        async with asyncio.TaskGroup() as group:
            stirring = group.create_task(self._stir())
            await self._woken.wait()
            stirring.cancel()
        self._woken.clear()

    async def _stir(self) -> None:
        await self._origin.changed(is_well=not self.problem)
        self._woken.set()
