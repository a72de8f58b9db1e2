"""A request: a value that may be sent to the daemon as JSON."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

CommandResult = dict[str, Any]
"""Plain data, for JSON. Of what changes something, ``message`` says in one line what was done."""
RequestT = TypeVar("RequestT", bound="Request")


class Request(BaseModel):
    """``method`` and ``route`` are HTTP's; the fields that ``route`` does not name are the JSON body's."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    method: ClassVar[str] = "POST"
    route: ClassVar[str]
    local: ClassVar[str] = ""
    """Why it is asked for on the daemon's host only, by the control socket; empty: the network's API has it, too."""


def target_of(request: Request) -> tuple[str, dict[str, Any]]:
    """Return the path by which a request is sent, and its fields that are not in that."""
    fields = request.model_dump(mode="json", exclude_none=True)
    named = {key: fields.pop(key) for key in list(fields) if f"{{{key}}}" in request.route}
    return request.route.format_map({key: quote(value, safe="") for key, value in named.items()}), fields


def request_of(kind: type[RequestT], fields: Mapping[str, Any]) -> RequestT:
    """Return the request with these fields; raises ValueError, one line that names the first faulty field."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise ValueError(f"{key}: {fault['msg'].removeprefix('Value error, ')}") from error
