"""The request that asks for an overview."""

from iluvatar_pxe.admin.requests.request import Request


class ShowStatus(Request):
    """``status``: shows what runs, what boots, and what needs its owner."""

    method = "GET"
    route = "/api/v1/status"
