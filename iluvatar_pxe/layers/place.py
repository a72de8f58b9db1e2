"""What the configurations of machines differ by, besides their names. Pure."""

from typing import NamedTuple

from iluvatar_pxe.fleet.models import MachineFile
from iluvatar_pxe.machines.states import Role


class Place(NamedTuple):
    """A machine's layer and role, and its file before and after a commit."""

    layer: str
    role: Role
    old: MachineFile | None
    new: MachineFile | None
