"""``iluvatar-pxe machines wake`` and ``machines power``."""

from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.power import SwitchPower, Wake
from iluvatar_pxe.cli.daemon import change
from iluvatar_pxe.cli.machines.options import Name
from iluvatar_pxe.cli.options import ConfigOption, YesOption, make_sure
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.power.action import Action

_CUTS = {Action.OFF: "Cut its power", Action.CYCLE: "Cut its power, and switch it on again"}


def wake(name: Name, *, config: ConfigOption = None) -> None:
    """Wake a machine up by Wake-on-LAN, which its firmware has to allow."""
    say([change(settings_of_daemon(config), Wake, machine=name)["message"]])


def switch(
    name: Name,
    action: Annotated[Action, typer.Argument(help="What to do.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also if its cluster's etcd would lose quorum.")
    ] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Switch a machine on or off, or ask whether it is on."""
    settings = settings_of_daemon(config)
    if action in _CUTS:
        make_sure(f"{name}: {_CUTS[action]}? What runs there is not shut down.", yes=yes)
    say([change(settings, SwitchPower, machine=name, action=action, force=force)["message"]])
