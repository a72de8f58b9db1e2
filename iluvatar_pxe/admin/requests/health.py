"""The request that asks how the daemon is."""

from iluvatar_pxe.admin.requests.request import Request

OK = "ok"
"""Of a component in the answer to ``ShowHealth``: it has no problem."""


class ShowHealth(Request):
    """``check``: shows the health of each component."""

    method = "GET"
    route = "/api/v1/health"
