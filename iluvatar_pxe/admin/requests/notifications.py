"""Requests on notifications."""

from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.fleet.notifications import RecipientName


class SendTest(Request):
    """``notifications test``: sends a message to one recipient of the fleet, or to all, and tells how that ended."""

    route = "/api/v1/notifications/test"
    name: RecipientName | None = None
