"""``iluvatar-pxe plan``: what a machine would boot, and why. It reads only, and needs no daemon."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

import typer

from iluvatar_pxe.boot.preview.next_boot import foresee
from iluvatar_pxe.cli.options import ConfigOption, JsonOption, settings_for
from iluvatar_pxe.cli.plan.data import plan_data
from iluvatar_pxe.cli.plan.page import page_lines
from iluvatar_pxe.cli.premises import Premises
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.errors import UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine, listed_as
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning.booter import sighting_of
from iluvatar_pxe.wire.mac import parse_mac
from iluvatar_pxe.wire.pxe import CpuArch, Platform

NO_MAC = "02:00:00:00:00:00"
"""Stands for the MAC of a machine that was not seen, and whose file tells only its serial number and UUID."""


class BootFirmware(StrEnum):
    """The kinds of firmware that ask for a boot."""

    BIOS_PXE = "bios-pxe"
    UEFI_PXE = "uefi-pxe"
    UEFI_HTTP = "uefi-http"
    IPXE = "ipxe"
    RASPBERRY_PI = "raspberry-pi"


_PLATFORMS: Mapping[Firmware, Platform] = MappingProxyType(
    {
        Firmware.BIOS_PXE: Platform.BIOS,
        Firmware.UEFI_PXE: Platform.UEFI,
        Firmware.UEFI_HTTP: Platform.UEFI,
        Firmware.IPXE: Platform.UEFI,
    }
)


def plan(
    machine: Annotated[
        str, typer.Argument(metavar="MAC_OR_NAME", help="Any MAC, or a machine's name or id.")
    ],
    *,
    arch: Annotated[
        CpuArch | None, typer.Option(help="Its processor. Default: its own, else x86_64.", show_default=False)
    ] = None,
    firmware: Annotated[
        BootFirmware | None,
        typer.Option(help="Its firmware. Default: its own, else uefi-pxe.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Explain what a machine would boot and why, from the fleet and the inventory; changes nothing.

    Exits 0 when it would boot something, 1 when it would wait or get no answer.
    """
    premises = Premises.read(settings_for(config))
    sighting = _told(_asker(machine, premises), arch, firmware)
    foreseen = foresee(sighting, premises.snapshot, premises.fleet, premises.context, premises.now)
    links = premises.links(sighting.address)
    page = plan_data(foreseen, links, premises.size_of) | {"assumed": premises.assumed(links)}
    if as_json:
        say_json(page)
    else:
        say(page_lines(page))
    raise typer.Exit(0 if page["boots"] else 1)


def _asker(text: str, premises: Premises) -> Sighting:
    """Return what the machine that goes by ``text`` would tell of itself, whether it was seen or not."""
    try:
        return sighting_of(find_machine(text, premises.snapshot, premises.fleet))
    except UnknownMachineError:
        unseen = _unseen(text.strip().lower(), premises)
        if unseen is None:
            raise
        return unseen


def _unseen(text: str, premises: Premises) -> Sighting | None:
    fleet = premises.fleet
    listed = next((one for one in fleet.listed if one.name == text), None)
    if listed:
        match = listed.file.match
        if any(listed_as(one, fleet) == listed for one in premises.snapshot.by_id.values()):
            return None  # more than one goes by that name
        mac = match.macs[0] if match.macs else NO_MAC
        return Sighting(mac=mac, firmware=Firmware.UEFI_PXE, serial=match.serial or "", uuid=match.uuid)
    try:
        return Sighting(mac=parse_mac(text), firmware=Firmware.UEFI_PXE)
    except ValueError:
        return None


def _told(known: Sighting, arch: CpuArch | None, firmware: BootFirmware | None) -> Sighting:
    """Return the sighting with the processor and the firmware that were asked about."""
    chosen = Firmware(firmware.value) if firmware else known.firmware
    if chosen is Firmware.TALOS:  # all that was seen of it; every boot begins with a firmware
        chosen = Firmware.UEFI_PXE
    cpu = arch or known.arch or (CpuArch.ARM64 if chosen is Firmware.RASPBERRY_PI else CpuArch.X86_64)
    return replace(
        known, firmware=chosen, arch=cpu, platform=_PLATFORMS.get(chosen), client=f"{chosen} on {cpu}"
    )
