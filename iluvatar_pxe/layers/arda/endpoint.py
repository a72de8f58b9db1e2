"""Where a cluster's API is. Pure."""

from iluvatar_pxe.dns.fleet_zones import API_PORT


def endpoint_of(layer: str, domain: str) -> str:
    """Return the URL of a cluster's Kubernetes API: the fleet's DNS knows where its control planes are."""
    return f"https://api.{layer}.{domain}:{API_PORT}"
