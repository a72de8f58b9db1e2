"""What a person does to a machine of the lab: press a key, pull its network cable; by QEMU's monitor (QMP)."""

import json
import socket
from pathlib import Path

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace

CARD = "card"
"""QEMU's name for a machine's network card."""

_TIMEOUT_SECONDS = 10.0


def monitor_arguments(name: str) -> list[str]:
    """Return QEMU's arguments that open the monitor of machine ``name``."""
    return ["-qmp", f"unix:{_socket(name)},server=on,wait=off"]


def press(namespace: Namespace, name: str, key: str) -> None:
    """Press and release a key, by QEMU's name for it, on machine ``name``; raises LabError."""
    _command(namespace, name, "send-key", keys=[{"type": "qcode", "data": key}])


def unplug(namespace: Namespace, name: str) -> None:
    """Pull the network cable of machine ``name``; raises LabError."""
    _command(namespace, name, "set_link", name=CARD, up=False)


def _command(namespace: Namespace, machine: str, command: str, **arguments: object) -> None:
    wanted = ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments})
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(_TIMEOUT_SECONDS)
        monitor.connect(str(namespace.outside(_socket(machine))))
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


def _socket(name: str) -> Path:
    return DIRECTORY / f"{name}.monitor"
