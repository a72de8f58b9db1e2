"""The page *Fleet*: the commit in force, and which were applied or refused before."""

from aiohttp import web

from iluvatar_pxe.admin.fleet import ShowCommits
from iluvatar_pxe.admin.requests.request import CommandResult, request_of
from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(request: web.Request) -> web.Response:
        try:
            command = request_of(ShowCommits, request.query)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        answer = await _answer(command, context)
        return renderer.page("fleet.html", place=context.settings.fleet_place, **answer)

    return [web.get("/fleet", show)]


async def _answer(command: ShowCommits, context: WebContext) -> CommandResult:
    """Return what is known, and why not more of it."""
    try:
        return {"problem": None, **await command.carry_out(context.commands, "the page")}
    except InventoryError as error:
        return {
            "problem": str(error),
            "in_force": None,
            "refused": None,
            "commits": [],
            "earlier": None,
        }
