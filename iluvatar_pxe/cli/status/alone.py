"""The overview where no daemon tells it: of the fleet and the inventory as they are recorded."""

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.held_boots import HeldBoots
from iluvatar_pxe.admin.machine_list import Roll
from iluvatar_pxe.admin.status import machines_data, settled
from iluvatar_pxe.cli.options import be_quiet
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.settings.model import Settings


def page_alone(settings: Settings, problem: str) -> Data:
    """Return what a daemon would answer, but for what only a daemon knows; ``problem`` says why none does."""
    be_quiet()
    without = {"running": False, "problems": {"daemon": problem}, "missing": []}
    return without | _machines(settings) | {"fleet": settings.fleet_place}


def _machines(settings: Settings) -> Data:
    try:
        state = State.read_recorded(settings)
    except InventoryError:  # no daemon has run here yet
        return {"machines": {}, "booting": [], "waiting": [], "enrolment_seconds": 0}
    entries = settled(Roll().entries(state.snapshot, state.fleet))
    held = HeldBoots().words([one.machine for one in entries], state.context, state.holders)
    return machines_data(entries, state.fleet, held) | {"enrolment_seconds": round(state.window_seconds)}
