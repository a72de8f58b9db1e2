"""What Raspberry Pis that run the provisioning system report, and are told to do: below ``/cloud-init/TICKET``."""

from aiohttp import web

from iluvatar_pxe.errors import AssetError, WireError
from iluvatar_pxe.layers.ainur.installer.hardware import LARGEST
from iluvatar_pxe.layers.ainur.installer.protocol import LARGEST_PROGRESS, Wait, plan_text
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.provisioning.installs import WAIT_SECONDS, Installs
from iluvatar_pxe.servers.http.context import client_of
from iluvatar_pxe.servers.http.shown_ticket import ShownTicket, shown_ticket

ROUTES = web.RouteTableDef()
_NO_STORE = {"Cache-Control": "no-store"}


@ROUTES.post("/cloud-init/{ticket}/hardware")
async def hardware(request: web.Request) -> web.Response:
    """Take in which disks a machine has."""
    shown_ticket(request, "hardware")
    text = await _text(request, LARGEST)
    shown = shown_ticket(request, "hardware")
    try:
        _installs(shown).take_hardware(shown.machine, text)
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return web.Response(text="noted\n")


@ROUTES.get("/cloud-init/{ticket}/install", allow_head=False)
async def install(request: web.Request) -> web.Response:
    """Say what a machine does with its disks."""
    shown = shown_ticket(request, "install")
    asker = shown.asker(request)
    shown.cloud_init.tickets.keep_young(shown.ticket, shown.holder)
    served = shown.booter.decide(sighting_of(shown.machine)).plan
    try:
        plan = await _installs(shown).plan(asker, served, shown.booter.applied.fleet)
    except AssetError as error:
        plan = Wait(WAIT_SECONDS, str(error))
    return web.Response(text=plan_text(plan), headers=_NO_STORE)


@ROUTES.post("/cloud-init/{ticket}/progress")
async def progress(request: web.Request) -> web.Response:
    """Take in how far a machine is, or what went wrong."""
    shown_ticket(request, "progress")
    text = await _text(request, LARGEST_PROGRESS)
    shown = shown_ticket(request, "progress")
    name = shown.asker(request).name(shown.booter.applied.fleet)
    try:
        _installs(shown).take_progress(shown.machine, name, client_of(request), text)
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return web.Response(text="noted\n")


def _installs(shown: ShownTicket) -> Installs:
    if shown.booter.installs is None:
        raise web.HTTPNotFound(text="simulated machines are not installed")
    return shown.booter.installs


async def _text(request: web.Request, most: int) -> str:
    content = await request.read()
    if len(content) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(content))
    return content.decode(errors="replace")
