"""``/schemas/…``: the JSON Schemas of the fleet's files, and the list of them, for editors."""

import asyncio
import json

from aiohttp import web
from yarl import URL

from iluvatar_pxe.fleet.schemas import DESCRIBED, schemas

ROUTES = web.RouteTableDef()

_CACHED = {"Cache-Control": "public, max-age=3600"}
"""They change only with the daemon's version."""


@ROUTES.get("/schemas/")
async def catalogue(request: web.Request) -> web.Response:
    """List the schemas in the format of SchemaStore's catalogue, which editors read (``yaml.schemaStore.url``)."""
    texts = await asyncio.to_thread(schemas)
    listed = [
        {
            "name": f"iluvatar-pxe: {described.files}",
            "description": json.loads(texts[name])["description"],
            "fileMatch": [described.files],
            "url": str(request.url.join(URL(name))),
        }
        for name, described in DESCRIBED.items()
    ]
    text = json.dumps({"version": 1, "schemas": listed}, indent=2) + "\n"
    return web.Response(text=text, content_type="application/json", headers=_CACHED)


@ROUTES.get("/schemas/{name}")
async def schema(request: web.Request) -> web.Response:
    """Serve one of them."""
    name = request.match_info["name"]
    text = (await asyncio.to_thread(schemas)).get(name)
    if text is None:
        raise web.HTTPNotFound(text=f"no schema {name[:100]}; /schemas/ lists them")
    return web.Response(text=text, content_type="application/schema+json", headers=_CACHED)
