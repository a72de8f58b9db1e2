"""A machine of the lab that is switched on, as the person in front of it sees it."""

import re
from dataclasses import dataclass

from iluvatar_pxe.lab.guest import monitor
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import start_guest
from iluvatar_pxe.lab.guest.screen import without_escapes
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import Network

COLUMNS = 80
"""Characters in a line of a text screen."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Screen, keyboard and network cable of a machine that is on."""

    name: str
    console: Process
    namespace: Namespace

    @property
    def screen(self) -> str:
        """What it has written until now, without colours and cursor movements."""
        return without_escapes(self.console.output)

    def shows(self, pattern: str, timeout: float, *, since: int = 0) -> re.Match[str]:
        """Wait until ``pattern`` is on the screen, also in a line not ended yet; raises LabError."""
        return self.console.wait_for(pattern, timeout, since=since, whole_lines=False)

    def press(self, key: str) -> None:
        """Press and release a key, by QEMU's name for it; raises LabError."""
        monitor.press(self.namespace, self.name, key)

    def unplug(self) -> None:
        """Pull the network cable; raises LabError."""
        monitor.unplug(self.namespace, self.name)


def switch_on(network: Network, kind: str, mac: str, name: str) -> Machine:
    """Switch on a machine with firmware ``kind`` and a disk behind the network in its boot order.

    Raises LabError when the emulator or a firmware file is missing.
    """
    console = start_guest(network, firmware_named(kind), mac, name, disk=True)
    return Machine(name, console, network.namespace)
