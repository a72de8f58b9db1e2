"""``/api/v1``: commands asked for as JSON, answered as JSON; a refusal is ``{"error": "one line"}``."""

import asyncio
import json
from typing import Any

from aiohttp import web

from iluvatar_pxe.admin.acting import act
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.registry import COMMANDS
from iluvatar_pxe.admin.requests.request import CommandResult, request_of
from iluvatar_pxe.servers.http.context import BY, COMMAND_CONTEXT


def routes() -> list[web.RouteDef]:
    """Return a route for each of ``COMMANDS``."""
    return [web.route(kind.method, kind.route, _handler(kind)) for kind in COMMANDS]


def _handler(kind: type[Command]) -> Any:
    async def handle(request: web.Request) -> web.Response:
        command = _parsed(kind, await request.read(), request.match_info)
        context, by = request.app[COMMAND_CONTEXT], request[BY]
        answer = await act(command, context, by, asked=request.path, through="control")
        text = await asyncio.to_thread(encoded, answer)
        return web.Response(text=text, content_type="application/json")

    return handle


def encoded(answer: CommandResult) -> str:
    """Encode what is in lists one by one: in one piece, 10,000 machines would keep the event loop waiting."""
    parts = (f"{json.dumps(key)}: {_encoded(value)}" for key, value in answer.items())
    return "{" + ", ".join(parts) + "}"


def _encoded(value: Any) -> str:
    return f"[{', '.join(map(json.dumps, value))}]" if isinstance(value, list) else json.dumps(value)


def _parsed(kind: type[Command], body: bytes, named: web.UrlMappingMatchInfo) -> Command:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="the body is not JSON; send an object") from error
    if not isinstance(document, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object; send one")
    try:
        return request_of(kind, {**document, **named})
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
