"""``/healthz``: the process answers; ``/readyz``: the health of each component."""

import json

from aiohttp import web

from iluvatar_pxe.servers.http.context import HEALTH

ROUTES = web.RouteTableDef()


@ROUTES.get("/healthz")
async def healthz(_request: web.Request) -> web.Response:
    """Liveness."""
    return web.Response(text="ok\n")


@ROUTES.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """Readiness: 200 when every part is healthy, else 503; either way the parts, as JSON."""
    ready, report = request.app[HEALTH].report()
    text = json.dumps(report, indent=2) + "\n"
    return web.Response(text=text, content_type="application/json", status=200 if ready else 503)
