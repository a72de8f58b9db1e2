"""``iluvatar-pxe cluster join``: this host as a node."""

import os
from pathlib import Path
from typing import Annotated

import typer
import yaml

from iluvatar_pxe.admin.requests.clusters import JoinCluster
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say
from iluvatar_pxe.errors import InstallError, OperationError
from iluvatar_pxe.host.card import is_on_card
from iluvatar_pxe.host.own_nics import own_macs
from iluvatar_pxe.install.node import is_node, make_node

ROOT = Path("/")


def join(
    *,
    if_listed: Annotated[
        bool, typer.Option("--if-listed", help="Do nothing where no file of the fleet lists this host.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Make this host, on which the daemon runs, the node of a k3s cluster that the fleet says it is."""
    if os.geteuid() != 0:
        raise InstallError("only root can do that; try it with sudo")
    if is_node(ROOT):
        say(["This host is a node already; to see how it is: iluvatar-pxe cluster status"])
        return
    request = JoinCluster(
        macs=own_macs(), architecture=os.uname().machine, on_card=is_on_card(ROOT / "var/lib")
    )
    answer = ask_running(settings_of_daemon(config), request)
    if answer["config"] is None:
        if not if_listed:
            raise OperationError(answer["message"])
        say([answer["message"]])
        return
    say([f"{answer['message']}."])
    for what, done in make_node(ROOT, yaml.safe_load(answer["config"])):
        say([f"{what}: {done}"])
    say(["", "To see how it joins: iluvatar-pxe cluster status"])
