"""What ``plan`` assumes about this server: how a machine reaches it, and which state applies."""

from ipaddress import IPv4Address

from iluvatar_pxe.admin.next_boots import NO_ADDRESS, surroundings
from iluvatar_pxe.assets.store import SYSTEM_PROGRAMS
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.host.interfaces import find_interfaces
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.layers.arda.machine_facts import Surroundings
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.spans import span


def surroundings_for(address: IPv4Address | None, settings: Settings, fleet: Fleet) -> Surroundings:
    """Return what there is on the network of a machine with ``address``; other daemons are not looked for."""
    interfaces = find_interfaces(settings.network.interfaces).interfaces
    return surroundings(address, interfaces, fleet, settings.talos)


def assumed(state: State, links: Links) -> dict[str, str]:
    """Say in words what a plan is based on."""
    settings, assets = state.settings, state.assets
    mode, seconds = state.fleet.settings.enrolment.mode, state.window_seconds
    window = f"open for {span(int(seconds))}" if seconds > 0 else "closed"
    ready = f"{len(assets.names)} in {settings.assets_directory} and {SYSTEM_PROGRAMS}"
    place = Store(settings.database_url).path
    return {
        "trust": "the request comes from the machine itself, and its DHCP request was seen",
        "enrolment": f"mode {mode}; the window is {window}",
        "fleet": settings.fleet_place,
        "inventory": f"{place}" if state.stored else f"{place} does not exist yet; no machine was seen",
        "boot files": assets.problem or ready,
        "this server": links.base + " (an example: it has no address now)" * (links.address == NO_ADDRESS),
    }
