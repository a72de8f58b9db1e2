"""What nodes of k3s clusters are to do: ``/k3s/tasks``, and what they need for it: ``/k3s/content``."""

from aiohttp import web

from iluvatar_pxe.errors import ConfigurationError, OperationError, SealError, WireError
from iluvatar_pxe.layers.ainur.node_tasks import LARGEST
from iluvatar_pxe.provisioning.node_tasks import NodeTasks
from iluvatar_pxe.servers.http.context import booter_of, client_of

ROUTES = web.RouteTableDef()


@ROUTES.post("/k3s/tasks")
async def node_tasks(request: web.Request) -> web.Response:
    """Take in how a node is, and tell it what it is to do; each proves to the other who it is."""
    cloud_init = booter_of(request).cloud_init
    if cloud_init is None:
        raise web.HTTPNotFound(text="simulated machines run no k3s")
    return await answer_of(cloud_init.node_tasks, request)


async def answer_of(tasks: NodeTasks, request: web.Request) -> web.Response:
    """Return what a node is told."""
    body, code = await _asked(request)
    client = str(client_of(request))
    try:
        answer, code = await tasks.answer(client, body, code)
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except ConfigurationError as error:
        raise web.HTTPForbidden(text=str(error)) from error
    headers = {"Cache-Control": "no-store", "Authentication-Info": code}
    return web.Response(body=answer, content_type="application/json", headers=headers)


@ROUTES.post("/k3s/content")
async def content(request: web.Request) -> web.Response:
    """Return what a node's task needs besides, which is secret, and is given by TLS only."""
    cloud_init = booter_of(request).cloud_init
    if cloud_init is None or not request.secure:
        raise web.HTTPNotFound(text="this is given by TLS only")
    body, code = await _asked(request)
    try:
        found = await cloud_init.node_tasks.content(str(client_of(request)), body, code)
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except ConfigurationError as error:
        raise web.HTTPForbidden(text=str(error)) from error
    except (OperationError, SealError) as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    return web.Response(body=found, headers={"Cache-Control": "no-store"})


async def _asked(request: web.Request) -> tuple[bytes, str]:
    """Return what a node sends, and the code by which it proves to be that node."""
    body = await request.read()
    if len(body) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(max_size=LARGEST, actual_size=len(body))
    return body, request.headers.get("Authorization", "")
