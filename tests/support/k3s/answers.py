"""Answers as Kubernetes and k3s write them."""

from aiohttp import web
from support.k3s.kubernetes import Object


def failure(status: int, reason: str, message: str) -> web.Response:
    """Return an error."""
    said = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
    return web.json_response(said, status=status)


def found_or_missing(found: Object | None, request: web.Request) -> web.Response:
    """Return an object, or that there is none of this name."""
    if found is None:
        return failure(404, "NotFound", f'"{request.path.rpartition("/")[2]}" not found')
    return web.json_response(found)
