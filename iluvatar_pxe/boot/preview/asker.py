"""The request of a machine's next boot, from what was seen of it, from its file, or from a MAC alone."""

from collections.abc import Mapping
from types import MappingProxyType

from iluvatar_pxe.boot.chains.choice import RUN_BY_IPXE
from iluvatar_pxe.errors import UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as
from iluvatar_pxe.fleet.models import Boot, Fleet, ListedMachine
from iluvatar_pxe.machines.model import Snapshot, sighting_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import LayerKind
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.mac import parse_mac
from iluvatar_pxe.wire.pxe import CpuArch, Platform

NO_MAC = "02:00:00:00:00:00"
"""Stands for the MAC of a machine that was not seen, and whose file tells only its serial number and UUID."""
_PLATFORMS: Mapping[Firmware, Platform] = MappingProxyType(
    {
        Firmware.BIOS_PXE: Platform.BIOS,
        Firmware.UEFI_PXE: Platform.UEFI,
        Firmware.UEFI_HTTP: Platform.UEFI,
        Firmware.IPXE: Platform.UEFI,
    }
)


def find_asker(text: str, snapshot: Snapshot, fleet: Fleet) -> Sighting:
    """Return what is known of the machine that goes by ``text``, seen or not; raises UnknownMachineError.

    Of those that were not seen, any MAC will do, and the name of a machine's file.
    """
    try:
        return sighting_of(find_machine(text, snapshot, fleet))
    except UnknownMachineError:
        unseen = _unseen(text.strip().lower(), snapshot, fleet)
        if unseen is None:
            raise
        return unseen


def listed_sighting(listed: ListedMachine, fleet: Fleet) -> Sighting:
    """Return all that is known of a machine that was not seen: what its file says."""
    match = listed.file.match
    mac = match.macs[0] if match.macs else NO_MAC
    return Sighting(
        mac=mac,
        firmware=firmware_of(listed.layer, listed.file, fleet),
        serial=match.serial or "",
        uuid=match.uuid,
    )


def mac_sighting(mac: str, fleet: Fleet) -> Sighting:
    """Return all that is known of a MAC that was not seen: what the file says that lists it, if there is one."""
    for listed in fleet.machines((mac,), "", None):
        return replace(listed_sighting(listed, fleet), mac=mac)
    return Sighting(mac=mac, firmware=Firmware.UEFI_PXE)


def asking(known: Sighting, firmware: Firmware | None = None, arch: CpuArch | None = None) -> Sighting:
    """Return what is known of a machine as its firmware's question; ``firmware`` and ``arch`` replace its own.

    Every boot begins with a firmware, also that of a machine of which only Talos was seen.
    """
    own = Firmware.UEFI_PXE if known.firmware is Firmware.TALOS else known.firmware
    chosen = firmware or own
    cpu = arch or known.arch or (CpuArch.ARM64 if chosen is Firmware.RASPBERRY_PI else CpuArch.X86_64)
    client = f"{chosen} on {cpu}"
    return replace(known, firmware=chosen, arch=cpu, platform=_PLATFORMS.get(chosen), client=client)


def _unseen(text: str, snapshot: Snapshot, fleet: Fleet) -> Sighting | None:
    listed = next((one for one in fleet.listed if one.name == text), None)
    if listed:
        is_seen = any(listed_as(one, fleet) == listed for one in snapshot.by_id.values())
        return None if is_seen else listed_sighting(listed, fleet)  # seen: more than one goes by that name
    try:
        return mac_sighting(parse_mac(text), fleet)
    except ValueError:
        return None


def firmware_of(layer: str | None, boot: Boot, fleet: Fleet) -> Firmware:
    """Take a machine of a k3s layer for a Raspberry Pi, unless its chain is run by iPXE; all others for a UEFI PC."""
    is_pi = fleet.kind(layer) is LayerKind.K3S and boot.chain not in RUN_BY_IPXE
    return Firmware.RASPBERRY_PI if is_pi else Firmware.UEFI_PXE
