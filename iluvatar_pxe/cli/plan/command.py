"""``iluvatar-pxe plan``: what a machine would boot, and why."""

from typing import Annotated

import typer

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.machines import BootFirmware, ShowPlan
from iluvatar_pxe.cli.daemon import answer_or_none, checked
from iluvatar_pxe.cli.options import ConfigOption, JsonOption
from iluvatar_pxe.cli.plan.page import page_lines
from iluvatar_pxe.cli.quickly import quickly
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say, say_json
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.wire.pxe import CpuArch


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
    request = checked(ShowPlan, machine=machine, firmware=firmware, arch=arch)
    page = _plan(settings_of_daemon(config), request)
    if as_json:
        say_json(page)
    else:
        say(page_lines(page))
    raise typer.Exit(0 if page["boots"] else 1)


def _plan(settings: Settings, request: ShowPlan) -> Data:
    answer = answer_or_none(settings, request)
    if answer is None:
        with quickly():
            from iluvatar_pxe.cli.plan.alone import plan_alone  # noqa: PLC0415 - imports nearly the whole daemon

        return plan_alone(settings, request)
    return {key: value for key, value in answer.items() if key != "last"}
