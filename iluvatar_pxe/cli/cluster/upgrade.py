"""``iluvatar-pxe cluster upgrade``."""

from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.clusters import UpgradeCluster
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say


def upgrade(
    *,
    layer: Annotated[str, typer.Option("--layer", metavar="LAYER", help="The cluster's layer, of kind k3s.")],
    config: ConfigOption = None,
) -> None:
    """Upgrade the nodes of a k3s cluster, one at a time, to the version in the layer's file.

    It goes on in the daemon: cluster status shows how far it is. After a fault, run it again to go on.
    """
    answer = ask_running(settings_of_daemon(config), UpgradeCluster(layer=layer))
    say([f"{answer['message']}."])
