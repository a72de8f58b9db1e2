"""When the CAs of clusters end, as their sealed secrets say."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.bundle_check import k3s_ends_of
from iluvatar_pxe.layers.arda.bundle_check import ends_of
from iluvatar_pxe.machines.states import LayerKind
from iluvatar_pxe.provisioning.cluster_secrets import ClusterSecrets

Ends = Mapping[tuple[str, str], datetime]
"""By layer and CA."""


async def cluster_ends(secrets: ClusterSecrets, fleet: Fleet) -> Ends:
    """Return when each CA of the fleet's clusters ends; of secrets that this host cannot open, nothing is told here."""
    found: dict[tuple[str, str], datetime] = {}
    for layer in fleet.clusters.keys() & fleet.layers.keys():
        with suppress(IluvatarError):  # a problem of the part "clusters"
            ends = await _ends(secrets, layer, fleet.layers[layer].kind)
            found |= {(layer, authority): end for authority, end in ends.items()}
    return found


async def _ends(secrets: ClusterSecrets, layer: str, kind: LayerKind) -> Mapping[str, datetime]:
    if kind is LayerKind.K3S:
        return k3s_ends_of(await secrets.known_k3s(layer))
    return ends_of(await secrets.known(layer))
