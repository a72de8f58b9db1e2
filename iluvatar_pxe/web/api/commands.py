"""Each command at its route, for who may: reading is free, and whatever changes something needs ``Access``."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import hdrs, web

from iluvatar_pxe.admin.acting import act
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.registry import COMMANDS
from iluvatar_pxe.admin.requests.request import request_of
from iluvatar_pxe.errors import IluvatarError, InvalidDraftError, OperationError, UnknownMachineError
from iluvatar_pxe.servers.control_protocol import LARGEST_BODY, REQUEST_SECONDS
from iluvatar_pxe.servers.http.routes.api import encoded
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.api.served import fields_of_query, has_query
from iluvatar_pxe.web.context import WebContext

_HEADERS = {hdrs.CACHE_CONTROL: "no-store", "X-Content-Type-Options": "nosniff"}


def routes(context: WebContext, access: Access) -> list[web.RouteDef]:
    """Return a route for each command; those for the daemon's host only say so."""
    return [
        web.route(
            kind.method, kind.route, _refused(kind) if kind.local else _carried_out(kind, context, access)
        )
        for kind in COMMANDS
    ]


def _carried_out(kind: type[Command], context: WebContext, access: Access) -> Any:
    async def handle(request: web.Request) -> web.Response:
        by = "" if kind.method == hdrs.METH_GET else await access.writer(request)
        with faults():
            async with asyncio.timeout(REQUEST_SECONDS):
                command = await _asked(kind, request)
                answer = await act(command, context.commands, by, asked=request.path, through="web")
        text = await asyncio.to_thread(encoded, answer)
        return web.Response(text=text, content_type="application/json", headers=_HEADERS)

    return handle


def _refused(kind: type[Command]) -> Any:
    async def refuse(_: web.Request) -> web.Response:
        raise web.HTTPForbidden(text=f"use the command line on the daemon's host: {kind.local}")

    return refuse


@contextmanager
def faults() -> Iterator[None]:
    """Raise as HTTPException what a command raises."""
    try:
        yield
    except UnknownMachineError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    except (OperationError, InvalidDraftError) as error:
        raise web.HTTPConflict(text=str(error)) from error
    except IluvatarError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    except TimeoutError as error:
        text = f"not done within {REQUEST_SECONDS:g} s; see the daemon's log"
        raise web.HTTPGatewayTimeout(text=text) from error


async def _asked(kind: type[Command], request: web.Request) -> Command:
    try:
        fields = fields_of_query(kind, request.query.items()) if has_query(kind) else await _body(request)
        return request_of(kind, {**fields, **request.match_info})
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


async def _body(request: web.Request) -> dict[str, Any]:
    """Return the JSON object that a body is; none is an empty one. Raises ValueError."""
    if (request.content_length or 0) > LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length or 0)
    octets = await request.read()
    if not octets:
        return {}
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send the body as application/json")
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is not JSON; send an object") from error
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object; send one")  # noqa: TRY004 - a fault of who asks, as others
    return document
