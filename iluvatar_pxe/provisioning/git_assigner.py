"""Assigns names and roles by commits, which the inventory then imports."""

import asyncio
import logging
import time
from dataclasses import dataclass
from uuid import UUID

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.boot.rules import options_of
from iluvatar_pxe.changed import Subscription
from iluvatar_pxe.errors import IluvatarError, InvalidDraftError, InventoryError, OperationError
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.changes.joining import Draft, Joining, taken_names
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.provisioning.rollout import Rollout
from iluvatar_pxe.ratelimit import complain

GATHER_SECONDS = 1.0
"""Machines that are found within it join by one commit: a rack is switched on at once, and an SD card is slow."""
AGAIN_SECONDS = 60.0
"""Until what the database decided is committed again, after that failed."""
RETRY_SECONDS = 5.0
"""Between two looks at an origin that machines wait for."""
MOST_WAITING = 1024


@dataclass(slots=True, eq=False)
class _Waiting:
    machine_id: UUID
    place: PlaceRequest
    outcome: "asyncio.Future[None]"


class GitAssigner:
    """A commit decides, and the inventory then imports it."""

    def __init__(self, inventory: Inventory, follower: Follower, rollout: Rollout) -> None:
        self._inventory = inventory
        self._follower = follower
        self._rollout = rollout
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(MOST_WAITING)
        self._is_owing = False
        self._retried = -RETRY_SECONDS

    @property
    def blocked_by(self) -> str:
        """What is wrong with the repository's origin."""
        return self._follower.problem or ""

    def retry_now(self) -> None:
        """Look at the origin again, though not for each machine that asks."""
        now = time.monotonic()
        if now >= self._retried + RETRY_SECONDS:
            self._retried = now
            self._follower.wake()

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Commit what the fleet's files do not say yet, and record it."""
        listed = listed_as(self._machine(machine_id), fleet)
        if listed is None or listed.file.role is None:
            await asyncio.shield(self._enqueue(machine_id, place))
            fleet = self._follower.in_force.fleet if self._follower.in_force else fleet
            listed = listed_as(self._machine(machine_id), fleet)
        if listed is None:
            raise InventoryError(f"{place.name or machine_id}: its file was removed again; retried")
        if listed.layer is None:
            raise InventoryError(f"{listed.name}: its file no longer names a layer; retried")
        role = place.role or listed.file.role
        decided = PlaceRequest(layer=listed.layer, name=listed.name, role=role, rule=place.rule)
        return await self._inventory.assign(machine_id, decided, fleet)

    async def run(self) -> None:
        """Commit what was asked for, until cancelled; also for those who have given up: they ask again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_rollout())
            group.create_task(self._commit_requests())

    async def _follow_rollout(self) -> None:
        """Have committed what each fleet that comes into force does not say."""
        with Subscription(self._rollout.adopted) as news:
            while True:
                await news.wait()
                self._backfill()

    async def _commit_requests(self) -> None:
        while True:
            batch = [await self._next()]
            await asyncio.sleep(GATHER_SECONDS)
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._commit(batch)

    def _backfill(self) -> None:
        """Have committed what the database decided and the files of the applied fleet do not say."""
        fleet = self._rollout.in_force
        if fleet is None:
            return
        self._is_owing = False
        for machine in self._inventory.snapshot.by_id.values():
            if given := machine.assignment:
                listed = listed_as(machine, fleet)
                if listed is None or listed.file.role is None:
                    place = PlaceRequest(
                        layer=given.layer,
                        name=given.name,
                        role=given.role,
                        rule=given.rule,
                        options=options_of(given.rule, fleet.settings.rules),
                    )
                    self._enqueue(machine.id, place)

    async def _next(self) -> _Waiting:
        """Return who waits; where a commit has failed, see now and then what is still owed."""
        while True:
            try:
                async with asyncio.timeout(AGAIN_SECONDS):
                    return await self._waiting.get()
            except TimeoutError:
                if self._is_owing and not self.blocked_by:
                    self._backfill()

    def _enqueue(self, machine_id: UUID, place: PlaceRequest) -> "asyncio.Future[None]":
        outcome = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_take_notice)
        try:
            self._waiting.put_nowait(_Waiting(machine_id, place, outcome))
        except asyncio.QueueFull:
            outcome.set_exception(
                InventoryError(f"{MOST_WAITING} machines already wait for their names; it asks again")
            )
        return outcome

    async def _commit(self, batch: list[_Waiting]) -> None:
        """Commit for all of them; where one would spoil it, for each alone."""
        try:
            refused = await self._drawn(batch)
        except InvalidDraftError as error:
            if len(batch) == 1:
                _settle(batch, {batch[0].machine_id: error})
                return
            for one in batch:
                await self._commit([one])
        except IluvatarError as error:
            self._is_owing = True
            complain("assign.uncommitted", machines=len(batch), why=str(error))
            _settle(batch, {one.machine_id: error for one in batch})
        except Exception as error:  # noqa: BLE001 - the last resort: one machine must not end the daemon
            complain("assign.failed", logging.ERROR, error=repr(error))
            failed = OperationError("this server failed on that; see its log")
            _settle(batch, {one.machine_id: failed for one in batch})
        else:
            for why in refused.values():
                complain("assign.refused", why=why)
            _settle(batch, {machine_id: OperationError(why) for machine_id, why in refused.items()})

    async def _drawn(self, batch: list[_Waiting]) -> dict[UUID, str]:
        """Commit, and return by machine why it got no place."""
        retired = await self._inventory.retired_names()
        refused: dict[UUID, str] = {}

        def draw(revision: Revision) -> Changes | None:
            machines = self._inventory.snapshot.by_id
            draft = Draft(revision, taken_names(machines.values(), revision.fleet, retired), wall_clock())
            for one in batch:
                if (machine := machines.get(one.machine_id)) is not None:
                    draft.add(Joining(machine, one.place))
            refused.clear()
            refused.update(draft.refused)
            return draft.changes

        await self._follower.commit(draw)
        return refused

    def _machine(self, machine_id: UUID) -> Machine:
        found = self._inventory.snapshot.machine_with_id(machine_id)
        if found is None:
            raise InventoryError(f"machine {machine_id}: not known any more; look again which there are")
        return found


def _settle(batch: list[_Waiting], errors: dict[UUID, IluvatarError]) -> None:
    for one in batch:
        if error := errors.get(one.machine_id):
            one.outcome.set_exception(error)
        else:
            one.outcome.set_result(None)


def _take_notice(outcome: "asyncio.Future[None]") -> None:
    """An error that nobody waits for any more was told by its caller as slowness."""
    if not outcome.cancelled():
        outcome.exception()
