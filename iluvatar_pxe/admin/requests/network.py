"""The request that asks who else is on the network."""

from iluvatar_pxe.admin.requests.request import Request


class ShowNetwork(Request):
    """``network``: tells which other DHCP servers were heard, and which unknown machines asked for a boot."""

    method = "GET"
    route = "/api/v1/network"
