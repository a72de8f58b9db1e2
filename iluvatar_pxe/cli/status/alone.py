"""The overview where no daemon tells it: of the fleet and the inventory as they are recorded."""

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.held_boots import HeldBoots
from iluvatar_pxe.admin.machine_list import Roll
from iluvatar_pxe.admin.status import machines_data, settled
from iluvatar_pxe.cli.options import be_quiet
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.errors import InventoryError, NoInventoryError
from iluvatar_pxe.settings.model import Settings

_NO_MACHINES: Data = {"machines": {}, "booting": [], "waiting": [], "enrolment_seconds": 0}


def page_alone(settings: Settings, problem: str) -> Data:
    """Return what a daemon would answer, but for what only a daemon knows; ``problem`` says why none does.

    An inventory or a fleet that cannot be read is a problem, too.
    """
    be_quiet()
    problems = {"daemon": problem}
    try:
        state = State.read_recorded(settings)
        machines = _machines(state)
        if state.fleet_problem:
            problems["fleet"] = state.fleet_problem
    except NoInventoryError:
        machines = _NO_MACHINES
    except InventoryError as error:
        machines, problems["inventory"] = _NO_MACHINES, str(error)
    return {"running": False, "problems": problems, "missing": [], **machines, "fleet": settings.fleet_place}


def _machines(state: State) -> Data:
    entries = settled(Roll().entries(state.snapshot, state.fleet))
    held = HeldBoots().words([one.machine for one in entries], state.context, state.holders)
    return machines_data(entries, state.fleet, held) | {"enrolment_seconds": round(state.window_seconds)}
