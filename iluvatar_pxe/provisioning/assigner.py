"""Assigns names and roles, by the database or by a commit; callers wait until it is decided."""

from typing import Protocol
from uuid import UUID

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.protocol import InventoryProtocol
from iluvatar_pxe.machines.model import Machine


class Assigner(Protocol):
    """``blocked_by`` says why nothing can be decided now; empty when it can."""

    @property
    def blocked_by(self) -> str: ...

    def retry_now(self) -> None:
        """Look again at what blocks it: a machine waits."""

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Give a machine its name and role, and return it; raises InventoryError, OperationError or RepositoryError."""
        ...


class DatabaseAssigner:
    """The inventory decides: there is no repository, or none that may be written."""

    blocked_by = ""

    def __init__(self, inventory: InventoryProtocol) -> None:
        self._inventory = inventory

    def retry_now(self) -> None:
        """Nothing blocks it."""

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine:
        """Give a machine its name and role by one transaction."""
        return await self._inventory.assign(machine_id, place, fleet)
