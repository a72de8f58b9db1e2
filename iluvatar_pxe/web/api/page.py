"""The API's description as a file for programs, and as a page for people."""

import asyncio
import json
from typing import Any

from aiohttp import web

from iluvatar_pxe.web.render import Renderer

OPENAPI = "/api/openapi.json"


def routes(renderer: Renderer) -> list[web.RouteDef]:
    """Return where both are served."""

    async def show(_: web.Request) -> web.Response:
        described = json.loads(await asyncio.to_thread(_document))
        return renderer.page("api.html", described=described, groups=groups(described), words=words_of)

    async def serve(_: web.Request) -> web.Response:
        text = await asyncio.to_thread(_document)
        return web.Response(text=text, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def lead(_: web.Request) -> web.Response:
        raise web.HTTPPermanentRedirect("/api/")

    return [web.get("/api", lead), web.get("/api/", show), web.get(OPENAPI, serve)]


def groups(described: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """Return method, path and description of all operations, by what they are about."""
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            found.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return found


def words_of(schema: dict[str, Any]) -> str:
    """Say what values a schema allows."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(map(words_of, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {words_of(schema['items'])}"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"{words_of(values)} by name"
    return str(schema.get("format") or schema.get("type", "anything"))


def _document() -> str:
    from iluvatar_pxe.web.api.openapi import document  # noqa: PLC0415 - builds schemas, which few ask for

    return document()
