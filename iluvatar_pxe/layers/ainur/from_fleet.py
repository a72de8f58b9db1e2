"""From the fleet to a k3s cluster and its machines, as their documents are made of them. Pure."""

import re
from collections.abc import Mapping

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.layers import K3sLayer
from iluvatar_pxe.fleet.lookup import root_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.fragments import fragments_of
from iluvatar_pxe.layers.ainur.node import InstalledArgoCd, K3sCluster, K3sNode
from iluvatar_pxe.machines.states import Role

_HASH = re.compile(r"\$[A-Za-z0-9]{1,10}\$[!-9;-~]{8,500}")
"""As crypt(5) has them; a colon would end it in ``/etc/shadow``."""
_RECOVER = "run: iluvatar-pxe fleet recover --key FILE"


def cluster_of(
    name: str, fleet: Fleet, bundle: K3sBundle, argo_cd: InstalledArgoCd | None = None
) -> K3sCluster:
    """Return what all machines of a layer have in common; raises ConfigurationError."""
    layer, record = _layer(name, fleet), fleet.clusters.get(name)
    k3s = layer.k3s
    if record and record.version:
        k3s = k3s.model_copy(update={"version": record.version})
    if not k3s.is_chosen:
        raise ConfigurationError(
            f"which version of k3s is 'stable' for {layer_file(name)} is not known yet; write a version into it"
        )
    return K3sCluster(
        name=name,
        domain=fleet.settings.domain,
        k3s=k3s,
        bundle=bundle,
        registries=fleet.settings.registries,
        users=layer.users,
        passwords=_passwords(layer, fleet.texts),
        argo_cd=argo_cd,
    )


def node_of(
    name: str,
    layer: str,
    role: Role,
    macs: tuple[str, ...],
    fleet: Fleet,
    *,
    instance_id: str,
) -> K3sNode:
    """Return a machine of a layer; see ``K3sNode``. Raises ConfigurationError."""
    found = _layer(layer, fleet)
    listed = next((one for one in fleet.listed if one.name == name), None)
    return K3sNode(
        name=name,
        role=role,
        macs=macs,
        instance_id=instance_id,
        root=root_of(found, listed),
        fragments=fragments_of(found, role, listed.file if listed else None, fleet),
    )


def _layer(name: str, fleet: Fleet) -> K3sLayer:
    layer = fleet.k3s(name)
    if layer is None:
        raise ConfigurationError(f"{layer_file(name)}: there is no layer of kind k3s; create it")
    return layer


def _passwords(layer: K3sLayer, texts: Mapping[str, str]) -> Mapping[str, str]:
    paths = {user.name: user.password_hash for user in layer.users if user.password_hash}
    return {user: _hash(path, texts.get(path, "")) for user, path in paths.items()}


def _hash(path: str, text: str) -> str:
    if is_sealed(text):
        raise ConfigurationError(f"{path}: is sealed, but not to this host's key; {_RECOVER}")
    if not _HASH.fullmatch(text.strip()):
        raise ConfigurationError(
            f"{path}: holds no hash of a password; write what mkpasswd -m yescrypt prints"
        )
    return text.strip()
