"""``iluvatar-pxe cluster recover``."""

from typing import Annotated

import typer

from iluvatar_pxe.admin.requests.clusters import RecoverCluster
from iluvatar_pxe.cli.daemon import ask_running
from iluvatar_pxe.cli.options import ConfigOption, YesOption, make_sure_by_name
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.tables import say


def recover(
    layer: Annotated[str, typer.Option("--layer", metavar="LAYER", help="The cluster's layer.")],
    *,
    server: Annotated[
        str, typer.Option(metavar="NAME", help="The server whose data counts. Default: the newest.")
    ] = "",
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Bring a k3s cluster back that has lost its founder or etcd's quorum; tells what it does, and asks."""
    settings = settings_of_daemon(config)
    found = ask_running(settings, RecoverCluster(layer=layer, server=server))
    if not found["mark"]:
        say([f"{found['message']}."])
        return
    say(["This is done:", *(f"- {line}" for line in found["plan"])])
    make_sure_by_name(layer, yes=yes)
    say(
        [
            f"{ask_running(settings, RecoverCluster(layer=layer, server=server, agreed=found['mark']))['message']}."
        ]
    )
