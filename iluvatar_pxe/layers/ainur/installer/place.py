"""Where a machine's system and what lasts go, or why they go nowhere yet. Pure."""

from msgspec import Struct

from iluvatar_pxe.layers.ainur.installer.choice import Chosen, Complete, Wanted, choose_root
from iluvatar_pxe.layers.ainur.installer.data import NewData, WantedData, choose_data
from iluvatar_pxe.layers.ainur.installer.hardware import Hardware
from iluvatar_pxe.layers.ainur.installer.held import Held
from iluvatar_pxe.layers.ainur.installer.in_memory import why_no_room
from iluvatar_pxe.layers.ainur.installer.layout import Layout
from iluvatar_pxe.machines.inspection import Disk


class Place(Struct, frozen=True):
    """Where they go."""

    root: Disk | None
    """The disk on which the system is installed; None where it is in memory."""
    data: NewData | None
    """The file system for what lasts that is made before; None where it is there, or none is wanted."""


def place_on_disk(hardware: Hardware, wanted: Wanted) -> Place | Complete | Held:
    """Return it for a system that is installed."""
    found = choose_root(hardware.disks, wanted)
    return _with_data(hardware, wanted.data, found.disk) if isinstance(found, Chosen) else found


def place_in_memory(hardware: Hardware, data: WantedData | None, image: Layout) -> Place | Held:
    """Return it for a system in memory."""
    return why_no_room(hardware.memory, image.root) or _with_data(hardware, data, None)


def _with_data(hardware: Hardware, wanted: WantedData | None, root: Disk | None) -> Place | Held:
    found = choose_data(hardware.disks, wanted, root) if wanted else None
    return found if isinstance(found, Held) else Place(root, found if isinstance(found, NewData) else None)
