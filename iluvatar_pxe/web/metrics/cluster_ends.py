"""When the CAs of clusters end, as their sealed secrets say."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.bundle_check import k3s_ends_of
from iluvatar_pxe.layers.arda.bundle_check import ends_of
from iluvatar_pxe.provisioning.cluster_secrets import ClusterSecrets

Ends = Mapping[tuple[str, str], datetime]
"""By layer and CA."""


async def cluster_ends(secrets: ClusterSecrets, layers: Iterable[str]) -> Ends:
    """Return when each CA of these layers' clusters ends; of secrets that this host cannot open, nothing is told here."""
    found: dict[tuple[str, str], datetime] = {}
    for layer in layers:
        with suppress(IluvatarError):  # a problem of the part "clusters"
            bundle = await secrets.any_known(layer)
            ends = k3s_ends_of(bundle) if isinstance(bundle, K3sBundle) else ends_of(bundle)
            found |= {(layer, name): end for name, end in ends.items()}
    return found
