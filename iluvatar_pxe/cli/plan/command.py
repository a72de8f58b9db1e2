"""``iluvatar-pxe plan``: what a machine would boot, and why. It reads only, and needs no daemon."""

from enum import StrEnum
from typing import Annotated

import typer

from iluvatar_pxe.admin.plans import Server, plan_data
from iluvatar_pxe.boot.preview.asker import asking, find_asker
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.plan.page import page_lines
from iluvatar_pxe.cli.plan_server import assumed, surroundings_for
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.replies.ipxe import Scripts
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.replies.raspberry_pi import PiTexts
from iluvatar_pxe.resources import read_templates
from iluvatar_pxe.wire.pxe import CpuArch


class BootFirmware(StrEnum):
    """The kinds of firmware that ask for a boot."""

    BIOS_PXE = "bios-pxe"
    UEFI_PXE = "uefi-pxe"
    UEFI_HTTP = "uefi-http"
    IPXE = "ipxe"
    RASPBERRY_PI = "raspberry-pi"


def plan(
    machine: Annotated[
        str, typer.Argument(metavar="MAC_OR_NAME", help="Any MAC, or a machine's name or id.")
    ],
    *,
    arch: Annotated[
        CpuArch | None,
        typer.Option(
            help="Processor. Default: the machine's own, else arm64 for a Raspberry Pi and x86_64 otherwise.",
            show_default=False,
        ),
    ] = None,
    firmware: Annotated[
        BootFirmware | None,
        typer.Option(
            help="Firmware. Default: the machine's own, else raspberry-pi in a k3s layer and uefi-pxe otherwise.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Explain what a machine would boot and why, from the fleet and the inventory; changes nothing.

    Exits 0 when it would boot something, 1 when it would wait or get no answer.
    """
    state = State.read(settings_of_daemon(config))
    known = find_asker(machine, state.snapshot, state.fleet)
    asker = asking(known, Firmware(firmware) if firmware else None, arch)
    around = surroundings_for(asker.address, state.settings, state.fleet)
    links = Links(around.here, state.settings.http.port)
    server = Server(
        links,
        state.assets.size_of,
        Scripts(read_templates("ipxe")),
        PiTexts(read_templates("raspberry-pi")),
        around,
    )
    page = plan_data(state.next_boot(asker), server) | {"assumed": assumed(state, links)}
    if as_json:
        say_json(page)
    else:
        say(page_lines(page))
    raise typer.Exit(0 if page["boots"] else 1)
