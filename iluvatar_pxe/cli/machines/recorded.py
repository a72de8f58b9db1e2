"""Machines as the inventory has them."""

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.cli.options import be_quiet
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.settings.model import Settings


def recorded(settings: Settings) -> list[Data]:
    """Read all machines; raises InventoryError."""
    be_quiet()
    state = State.read_recorded(settings)
    return [describe(one, state.fleet) for one in state.snapshot.by_id.values()]
