"""A machine of the lab that is switched on, as the person in front of it sees it: screen, keyboard, network cable.

Keys and the cable are QEMU's business, which is asked by its monitor (QMP).
"""

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from support.lab_disk import add_disk

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.guest.guest import CARD, start_guest
from iluvatar_pxe.lab.guest.screen import without_escapes
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import Network

COLUMNS = 80
"""Characters in a line of a text screen."""

_TIMEOUT_SECONDS = 10.0


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
        _command(self.namespace, self.name, "send-key", keys=[{"type": "qcode", "data": key}])

    def press_power(self) -> None:
        """Press its power button, by which a system shuts down; raises LabError."""
        _command(self.namespace, self.name, "system_powerdown")

    def unplug(self) -> None:
        """Pull the network cable; raises LabError."""
        _command(self.namespace, self.name, "set_link", name=CARD, up=False)


def switch_on(network: Network, kind: str, mac: str, name: str) -> Machine:
    """Switch on a machine with firmware ``kind`` and a disk behind the network in its boot order.

    Raises LabError when the emulator or a firmware file is missing.
    """
    firmware = firmware_named(kind)
    monitor = ["-qmp", f"unix:{socket_of(name)},server=on,wait=off"]
    disk = add_disk(network.namespace, firmware, name)
    console = start_guest(network, firmware, mac, name, [*disk, *monitor])
    return Machine(name, console, network.namespace)


def _command(namespace: Namespace, machine: str, command: str, **arguments: object) -> None:
    wanted = ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments})
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(_TIMEOUT_SECONDS)
        monitor.connect(str(namespace.outside(socket_of(machine))))
        with monitor.makefile("rw", encoding="utf-8") as lines:
            lines.readline()  # the monitor's greeting
            for one in wanted:
                lines.write(json.dumps(one) + "\n")
                lines.flush()
                answer = lines.readline()
                while '"event"' in answer:
                    answer = lines.readline()
                if '"return"' not in answer:
                    raise LabError(f"{machine} refuses {command}: {answer.strip()}")


def socket_of(name: str) -> Path:
    """Return the path of a machine's monitor, as programs inside the lab see it."""
    return DIRECTORY / f"{name}.monitor"
