"""Requests on machines' power."""

from iluvatar_pxe.admin.requests.machines import Designation
from iluvatar_pxe.admin.requests.request import Request


class Wake(Request):
    """``machines wake``: sends a machine magic packets (Wake-on-LAN)."""

    route = "/api/v1/machines/{machine}/wake"
    machine: Designation
