"""Requests on the fleet's repository."""

from typing import Annotated

from pydantic import Field

from iluvatar_pxe.admin.requests.request import Request

MOST_COMMITS = 100
MOST_CHANGES = 1000


class ShowCommits(Request):
    """``fleet history``: tells the commit in force, and which were applied or refused before, the latest first."""

    method = "GET"
    route = "/api/v1/fleet/commits"
    before: Annotated[int | None, Field(ge=1)] = None
    """Only those with lower numbers: ``earlier`` of the answer before."""
    limit: Annotated[int, Field(ge=1, le=MOST_COMMITS)] = 20
    changes: Annotated[int, Field(ge=0, le=MOST_CHANGES)] = 50
    """How many changes are told of each; ``changed`` says how many there are."""
