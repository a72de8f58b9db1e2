"""The request that asks which wanted boot files are not here yet, for programs that plan a boot without being the daemon."""

from pydantic import TypeAdapter

from iluvatar_pxe.admin.requests.request import CommandResult, Request
from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.catalogue.progress import Progress

_COMING = TypeAdapter(dict[str, Progress])


class ShowComing(Request):
    """Tells of each file that is being fetched how far it is."""

    method = "GET"
    route = "/api/v1/coming"


def coming_of(answer: CommandResult) -> Coming:
    """Return what the daemon's answer tells; raises ValueError for what no daemon of this version says."""
    return _COMING.validate_python(answer["coming"])
