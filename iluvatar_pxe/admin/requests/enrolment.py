"""Requests on the enrolment window: whether machines that no file of the fleet lists may join."""

from typing import Annotated

from pydantic import Field

from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.fleet.daemon_files import LONGEST_WINDOW


class ShowEnrolment(Request):
    """``enrol status``: shows whether machines may join, which ones wait, and which were refused."""

    method = "GET"
    route = "/api/v1/enrolment"


class OpenWindow(Request):
    """``enrol open``: opens the enrolment window."""

    method = "PUT"
    route = "/api/v1/enrolment"
    seconds: Annotated[int, Field(ge=1, le=LONGEST_WINDOW)]


class CloseWindow(Request):
    """``enrol close``: closes the enrolment window."""

    method = "DELETE"
    route = "/api/v1/enrolment"
