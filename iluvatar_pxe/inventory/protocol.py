"""The inventory interface used by decisions and servers, for the real inventory and the sandbox."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Protocol
from uuid import UUID

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.window import Window
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.model import NOT_LISTED, Listed, Machine, Snapshot
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Sighting


class InventoryProtocol(Protocol):
    """See ``Inventory`` for what each does, and raises."""

    @property
    def window(self) -> Window: ...

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def health(self) -> str | None: ...

    def machine_at(self, address: IPv4Address) -> Machine | None: ...

    def asked_within(self, machine_id: UUID, seconds: float) -> bool: ...

    def learn_address(self, sighting: Sighting) -> None: ...

    def observe(
        self,
        sighting: Sighting,
        stage: Stage,
        *,
        vouched: bool = False,
        listed: Listed = NOT_LISTED,
        detail: str = "",
        cause: str = "",
        size: int = 0,
        milliseconds: float = 0.0,
        chain: str = "",
        most_attempts: int = 5,
    ) -> Machine: ...

    def touch(
        self, sighting: Sighting, stage: Stage, *, vouched: bool = False, listed: Listed = NOT_LISTED
    ) -> Machine: ...

    def hear(self, machine_id: UUID, sighting: Sighting, stage: Stage, listed: Listed) -> Machine: ...

    def note(self, machine_id: UUID, happening: Happening, detail: str, cause: str = "") -> None: ...

    def doubt_nic(self, machine_id: UUID, mac: str) -> None: ...

    def note_inspection(self, machine_id: UUID, inspection: Inspection, detail: str = "") -> None: ...

    def note_seed(self, machine_id: UUID, seed: Seed) -> None: ...

    async def assign(self, machine_id: UUID, place: PlaceRequest, fleet: Fleet) -> Machine: ...

    async def change(
        self,
        machine_id: UUID,
        edit: Callable[[Machine], Machine],
        happening: Happening,
        detail: str,
        by: str,
    ) -> Machine: ...
