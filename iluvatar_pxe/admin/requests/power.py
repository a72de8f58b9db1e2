"""Requests on machines' power."""

from iluvatar_pxe.admin.requests.machines import Designation
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.power.action import Action


class Wake(Request):
    """``machines wake``: sends a machine magic packets (Wake-on-LAN)."""

    route = "/api/v1/machines/{machine}/wake"
    machine: Designation


class SwitchPower(Request):
    """``machines power``: switches a machine by what ``power`` in its file names, or asks whether it is on."""

    route = "/api/v1/machines/{machine}/power"
    machine: Designation
    action: Action
    force: bool = False
    """Also where its cluster's etcd would lose quorum."""
