"""A Raspberry Pi's documents, as people may see them, and as they can be compared. Pure.

They hold no secrets, but for what the fleet's patches may add in clear.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.ainur.cloud_config import cloud_config_of
from iluvatar_pxe.layers.ainur.documents import documents_of
from iluvatar_pxe.layers.ainur.fragments import Fragment, merged, parse_fragment
from iluvatar_pxe.layers.ainur.from_fleet import node_of
from iluvatar_pxe.layers.ainur.node import K3sCluster, Surroundings
from iluvatar_pxe.layers.ainur.stand_in import STAND_IN, Sums
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

_AROUND = Surroundings(daemons=("http://pxe:8080",), ticket="TICKET", sums=Sums())


def shown_documents(name: str, layer: str, role: Role, macs: Sequence[str], fleet: Fleet, server: str) -> str:
    """Return what cloud-init gets on a machine, but for programs and for what patches add, of which keys are named.

    ``server`` is the URL of this daemon. Raises ConfigurationError.
    """
    node = node_of(name, layer, role, tuple(macs), fleet, instance_id="INSTANCE")
    bare = replace(node, fragments=())
    found = documents_of(_cluster(layer, fleet), bare, replace(_AROUND, daemons=(server,)), {})
    patches = "".join(f"# {one.path} adds: {_added(one)}\n" for one in node.fragments)
    return f"{found.user_data}{patches}---\n# network-config\n{found.network_config}"


def compared_config(name: str, layer: str, role: Role, fleet: Fleet) -> Mapping[str, Any]:
    """Return a machine's cloud-config by key, and each of its files by path; raises ConfigurationError."""
    node = node_of(name, layer, role, ("00:00:00:00:00:01",), fleet, instance_id="INSTANCE")
    config = merged(cloud_config_of(_cluster(layer, fleet), node, _AROUND, {}), node.fragments)
    files = {str(one.get("path")): one for one in config.pop("write_files", ())}
    return config | files


def _cluster(name: str, fleet: Fleet) -> K3sCluster:
    layer = fleet.k3s(name)
    if layer is None or not layer.k3s.is_chosen:
        raise ConfigurationError(f"{layer_file(name)}: which version of k3s is meant is not known yet")
    settings = fleet.settings
    return K3sCluster(
        name=name,
        domain=settings.domain,
        k3s=layer.k3s,
        bundle=STAND_IN,
        registries=settings.registries,
        users=layer.users,
    )


def _added(fragment: Fragment) -> str:
    if fragment.is_sealed:
        return "files, sealed"
    try:
        return ", ".join(parse_fragment(fragment.text).value) or "nothing"
    except DocumentError as error:
        raise ConfigurationError(f"{fragment.path}: {error}") from error
