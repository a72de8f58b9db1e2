"""What one transaction writes."""

from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct, field

from iluvatar_pxe.inventory.window import SavedWindow
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.model import BootEvent, Machine


class Batch(Struct, frozen=True, kw_only=True):
    """Merges, in their order, then removals, then each machine's latest state, then the events, in their order."""

    merges: tuple[Merge, ...] = ()
    removals: frozenset[UUID] = frozenset()
    machines: Mapping[UUID, Machine] = field(default_factory=dict)
    new: frozenset[UUID] = frozenset()
    """Machines that the database cannot know yet."""
    events: tuple[BootEvent, ...] = ()
    window: SavedWindow | None = None
