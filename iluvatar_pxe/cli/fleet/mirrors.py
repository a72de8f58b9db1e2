"""``iluvatar-pxe fleet mirrors``: the fleet's registry mirrors in the words of Talos and of k3s."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

import typer

from iluvatar_pxe.cli.options import ConfigOption
from iluvatar_pxe.cli.running import settings_of_daemon
from iluvatar_pxe.cli.state import State
from iluvatar_pxe.fleet.registries import Registries, k3s_registries, talos_documents


class Node(StrEnum):
    """What runs on a node."""

    TALOS = "talos"
    K3S = "k3s"


_RENDERED: Mapping[Node, Callable[[Registries], str]] = MappingProxyType(
    {Node.TALOS: talos_documents, Node.K3S: k3s_registries}
)


def mirrors(
    node: Annotated[Node, typer.Argument(help="What runs on the nodes.")], *, config: ConfigOption = None
) -> None:
    """Print the registry mirrors of fleet.yaml as Talos or k3s reads them; nothing if it has none.

    For Talos: documents to append to a machine configuration. For k3s: /etc/rancher/k3s/registries.yaml.
    """
    registries = State.read(settings_of_daemon(config)).fleet.settings.registries
    typer.echo(_RENDERED[node](registries), nl=False)
