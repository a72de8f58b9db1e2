"""Requests that ask how the daemon is, and what it waits for."""

from iluvatar_pxe.admin.requests.request import Request

OK = "ok"
"""Of a component in the answer to ``ShowHealth``: it has no problem."""


class ShowHealth(Request):
    """``check``: shows the health of each component."""

    method = "GET"
    route = "/api/v1/health"


class ShowComing(Request):
    """Tells of each file that is being fetched how far it is."""

    method = "GET"
    route = "/api/v1/coming"
