"""What nodes of k3s clusters are to do: ``/k3s/tasks``."""

from aiohttp import web

from iluvatar_pxe.errors import ConfigurationError, WireError
from iluvatar_pxe.layers.ainur.node_tasks import LARGEST
from iluvatar_pxe.servers.http.context import booter_of, client_of

ROUTES = web.RouteTableDef()


@ROUTES.post("/k3s/tasks")
async def node_tasks(request: web.Request) -> web.Response:
    """Take in how a node is, and tell it what it is to do; each proves to the other who it is."""
    cloud_init = booter_of(request).cloud_init
    if cloud_init is None:
        raise web.HTTPNotFound(text="simulated machines run no k3s")
    body = await request.read()
    if len(body) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(max_size=LARGEST, actual_size=len(body))
    client, code = str(client_of(request)), request.headers.get("Authorization", "")
    try:
        answer, code = await cloud_init.node_tasks.answer(client, body, code)
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except ConfigurationError as error:
        raise web.HTTPForbidden(text=str(error)) from error
    headers = {"Cache-Control": "no-store", "Authentication-Info": code}
    return web.Response(body=answer, content_type="application/json", headers=headers)
