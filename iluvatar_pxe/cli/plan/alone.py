"""A plan where no daemon tells it: of the fleet, the inventory and the boot files as they are now."""

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.next_boots import surroundings
from iluvatar_pxe.admin.plan_basis import assumed, ready_words
from iluvatar_pxe.admin.plans import Server, plan_data
from iluvatar_pxe.admin.requests.machines import ShowPlan
from iluvatar_pxe.boot.preview.asker import asking, find_asker
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.host.interfaces import find_interfaces
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.replies.ipxe import Scripts
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.raspberry_pi import PiTexts
from iluvatar_pxe.resources import read_templates
from iluvatar_pxe.settings.model import Settings


def plan_alone(settings: Settings, request: ShowPlan) -> Data:
    """Return what a daemon would answer; raises as ``State.read``, and UnknownMachineError."""
    state = State.read(settings)
    known = find_asker(request.machine, state.snapshot, state.fleet)
    asker = asking(known, Firmware(request.firmware) if request.firmware else None, request.arch)
    interfaces = find_interfaces(settings.network.interfaces).interfaces
    around = surroundings(asker.address, interfaces, state.fleet, settings.talos)
    links = Links(around.here, settings.http.port)
    server = Server(
        links,
        state.assets.size_of,
        Scripts(read_templates("ipxe")),
        PiTexts(read_templates("raspberry-pi")),
        around,
    )
    based_on = assumed(
        settings,
        state.fleet,
        links,
        window_seconds=state.window_seconds,
        files=state.assets.problem or ready_words(len(state.assets.names), settings),
        is_stored=state.stored is not None,
    )
    return plan_data(state.next_boot(asker), server) | {"assumed": based_on}
