"""The page *Enrolment*: whether machines that no file lists may join, and which of them wait."""

from aiohttp import web

from iluvatar_pxe.admin.enrolment import ShowEnrolment
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(_: web.Request) -> web.Response:
        told = await ShowEnrolment().carry_out(context.commands, "")
        return renderer.page("enrolment.html", enrolment=told)

    return [web.get("/enrolment", show)]
