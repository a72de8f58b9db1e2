"""The page *Machines*."""

from aiohttp import web

from iluvatar_pxe.admin.data import in_order
from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(_: web.Request) -> web.Response:
        fleet = context.fleet
        machines = [describe(one, fleet) for one in context.inventory.snapshot.by_id.values()]
        return renderer.page("machines.html", machines=in_order(machines, every=True))

    return [web.get("/", show)]
