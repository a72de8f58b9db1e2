"""Where a cluster's API is. Pure."""

from iluvatar_pxe.dns.fleet_zones import API_PORT
from iluvatar_pxe.fleet.models import Fleet


def api_name(layer: str, fleet: Fleet) -> str:
    """Return the name of a cluster's API: the fleet's DNS knows where its control planes are."""
    return f"api.{layer}.{fleet.settings.domain}"


def endpoint_of(layer: str, fleet: Fleet) -> str:
    """Return the URL of a cluster's Kubernetes API: by the layer's VIP, if it has one, else by name."""
    talos = fleet.talos(layer)
    return f"https://{(talos and talos.vip) or api_name(layer, fleet)}:{API_PORT}"
