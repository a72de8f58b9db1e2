"""A machine of the lab: QEMU with real firmware and one network card."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid5

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.guest.firmware import Firmware
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, require_tools
from iluvatar_pxe.lab.room.network import PLUG, Network

CARD = "card"
"""QEMU's name for a machine's network card."""

_MEMORY_MIB = 1024
_TUN = Path("/dev/net/tun")
_UUIDS = UUID("6f3b8a52-55b0-4d0e-9c58-0d6a1c1d7e10")
"""A machine's UUID is made from its MAC: the same machine at every boot, and no bogus value."""


def start_guest(
    network: Network, firmware: Firmware, mac: str, name: str = "machine", more: Sequence[str] = ()
) -> Process:
    """Switch a machine on; its output is its serial console, and it ends when it powers off or reboots.

    It boots from the network; ``more`` are arguments of QEMU for what else it has.

    Raises LabError when the emulator, a firmware file or the right to plug in a machine is missing.
    """
    firmware.check()
    require_tools(firmware.emulator)
    if not os.access(_TUN, os.R_OK | os.W_OK):
        raise LabError(f"{_TUN} cannot be opened, so no machine can be connected; run this as root")
    argv = [
        firmware.emulator,
        "-nodefaults",
        "-no-reboot",
        *("-accel", "tcg"),  # hardware acceleration kills OVMF on some hosts
        *("-machine", firmware.machine),
        *("-m", str(_MEMORY_MIB)),
        *("-uuid", str(uuid5(_UUIDS, mac))),
        *("-smbios", f"type=1,manufacturer=QEMU,product=Lab,serial=LAB-{mac.replace(':', '')}"),
        *("-display", "none"),
        *("-serial", "stdio"),
        *("-device", "virtio-rng-pci"),  # newer OVMF has no network without entropy
        *("-netdev", f"tap,id=lan,script={PLUG},downscript=no"),
        *("-device", f"{firmware.card},id={CARD},netdev=lan,mac={mac},bootindex=1"),
        *more,
        *_flash(network, firmware, name),
        *firmware.arguments,
    ]
    return network.namespace.start(name, argv)


def _flash(network: Network, firmware: Firmware, name: str) -> list[str]:
    """Return QEMU's arguments for the firmware's flash, with variables of the machine's own."""
    if firmware.code is None or firmware.variables is None:
        return []
    variables = DIRECTORY / f"{name}.vars"
    shutil.copyfile(firmware.variables, network.namespace.outside(variables))
    drives = (f"{firmware.code},readonly=on", f"{variables}")
    return [
        argument
        for unit, file in enumerate(drives)
        for argument in ("-drive", f"if=pflash,format=raw,unit={unit},file={file}")
    ]
