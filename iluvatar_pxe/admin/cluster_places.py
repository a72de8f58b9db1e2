"""Where things of a cluster are, and how far an upgrade of it is, as plain data. Pure."""

from collections.abc import Iterable

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.dns.fleet_zones import API_PORT
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.endpoint import api_name, endpoint_of
from iluvatar_pxe.layers.argocd.objects import NAMESPACE


def places_of(layer: str, fleet: Fleet) -> Data:
    """Return where a cluster's API, its applications and its Argo CD are, as the fleet has it.

    ``ingress`` has the addresses to which the fleet's DNS resolves ``applications``; null where the layer names none.
    """
    declared, domain = fleet.layers.get(layer), fleet.settings.domain
    ingress = [str(address) for address in declared.ingress] if declared else []
    api = endpoint_of(layer, fleet) if fleet.talos(layer) else f"https://{api_name(layer, fleet)}:{API_PORT}"
    return {
        "api": api,
        "applications": f"*.apps.{layer}.{domain}" if ingress else None,
        "ingress": ingress,
        "argocd": {"namespace": NAMESPACE, "follows": f"apps/{layer}"},
    }


def progress_of(wanted: str | None, running: Iterable[str | None]) -> Data | None:
    """Return how many of a cluster's machines run the version that is wanted; None where nothing tells either."""
    known = [one.removeprefix("v") for one in running if one]
    if not wanted or not known:
        return None
    done = sum(one == wanted.removeprefix("v") for one in known)
    return {"version": wanted, "done": done, "of": len(known)}
