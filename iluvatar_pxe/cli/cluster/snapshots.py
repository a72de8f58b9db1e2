"""``iluvatar-pxe cluster snapshot``."""

from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.clusters import TakeSnapshot
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say


def take_snapshot(
    layer: Annotated[
        str | None, typer.Argument(metavar="[LAYER]", help="The cluster's layer. Default: the only one.")
    ] = None,
    *,
    config: ConfigOption = None,
) -> None:
    """Take a snapshot of a cluster's etcd now, sealed into the daemon's state directory."""
    settings = settings_of_daemon(config)
    say([ask_running(settings, TakeSnapshot(layer=layer))["message"] + "."])
