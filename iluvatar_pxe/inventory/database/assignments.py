"""Machines that wait for their names at the same time get them in one transaction: a commit to an SD card is slow."""

from dataclasses import dataclass

from sqlalchemy import Connection

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.database.assign import Request, assign
from iluvatar_pxe.inventory.database.recorder import Recorder
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.memory import Memory, wall_clock
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment


@dataclass(slots=True, eq=False)
class _Waiting:
    known: Machine
    place: PlaceRequest
    fleet: Fleet
    outcome: Machine | InventoryError | None = None


class Assignments:
    """Belongs to the inventory that ``memory``, ``store`` and ``recorder`` are of."""

    def __init__(self, memory: Memory, store: Store, recorder: Recorder) -> None:
        self._memory = memory
        self._store = store
        self._recorder = recorder
        self._waiting: list[_Waiting] = []

    async def assign(self, known: Machine, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Give a machine what ``place`` says, and return it; raises InventoryError. See ``assigner.assign``."""
        own = _Waiting(known, place, fleet)
        self._waiting.append(own)
        try:
            await self._recorder.perform(lambda: self._serve(own), save_first=False)
        finally:
            if own in self._waiting:
                self._waiting.remove(own)
        if not isinstance(own.outcome, Machine):
            raise own.outcome or InventoryError(f"{known.title}: was not assigned; try again")
        return own.outcome

    async def _serve(self, own: _Waiting) -> None:
        """Assign all that wait, unless ``own`` was served with another's."""
        if own.outcome is not None:
            return
        batch, self._waiting = self._waiting, []
        try:
            await self._assign_all([one for one in batch if self._is_still_there(one)])
        except InventoryError:  # the others try it themselves
            self._waiting = [one for one in batch if one is not own] + self._waiting
            raise

    async def _assign_all(self, batch: list[_Waiting]) -> None:
        requests = [self._request(one) for one in batch]
        given = await self._recorder.save_with(
            lambda connection: [self._given(connection, one) for one in requests]
        )
        for one, assignment in zip(batch, given, strict=True):
            one.outcome = self._taken_in(one.known, assignment)

    def _taken_in(self, known: Machine, given: Assignment | InventoryError) -> Machine | InventoryError:
        if isinstance(given, InventoryError):
            return given
        try:
            return self._memory.assigned(known, given)
        except InventoryError as error:  # forgotten since
            return error

    def _is_still_there(self, one: _Waiting) -> bool:
        """Bring it up to date; a machine that was forgotten meanwhile is told so."""
        try:
            one.known = self._memory.current(one.known)
        except InventoryError as error:
            one.outcome = error
        return one.outcome is None

    def _request(self, one: _Waiting) -> Request:
        return Request(
            machine_id=one.known.id,
            generation=one.known.generation,
            place=one.place,
            fleet=one.fleet,
            now=wall_clock(),
        )

    def _given(self, connection: Connection, request: Request) -> Assignment | InventoryError:
        """One that is refused has written nothing, and does not undo the others."""
        try:
            return assign(connection, request, self._store.path, self._store.server_id)
        except InventoryError as error:
            return error
