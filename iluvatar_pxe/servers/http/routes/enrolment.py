"""What a machine's screen is answered with: ``/ipxe/confirm`` after its countdown, ``/ipxe/refuse`` after a key."""

import time
from dataclasses import replace

import structlog
from aiohttp import web

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN
from iluvatar_pxe.servers.http.context import COUNTDOWNS, booter_of, client_of
from iluvatar_pxe.servers.http.routes.scripts import answer, sighting_in

ROUTES = web.RouteTableDef()
_log = structlog.get_logger()


@ROUTES.get("/ipxe/confirm", allow_head=False)
async def confirm(request: web.Request) -> web.Response:
    """Let the machine join whose countdown has run out; any other counts down first."""
    started = time.perf_counter()
    booter = booter_of(request)
    machine, sighting = _asking(request)
    trust = booter.trust(sighting)
    confirmed = request.app[COUNTDOWNS].has_run_out(machine.id, machine.generation)
    plan = await booter.settle(sighting, trust.doubt, confirmed=confirmed)
    return answer(request, sighting, trust, plan, Stage.CONFIRM, started)


@ROUTES.get("/ipxe/refuse", allow_head=False)
async def refuse(request: web.Request) -> web.Response:
    """Record that a machine is not to join, and send it to its disk, now and from now on."""
    started = time.perf_counter()
    booter = booter_of(request)
    machine, sighting = _asking(request)
    trust = booter.trust(sighting)
    if not trust.itself:
        booter.distrust(machine, client_of(request), request.path, trust.doubt)
        raise web.HTTPForbidden(text=trust.doubt)
    if machine.assignment is None:
        await _refuse(request, machine)
    return answer(request, sighting, trust, booter.plan(sighting, trust.doubt), Stage.SCRIPT, started)


def _asking(request: web.Request) -> tuple[Machine, Sighting]:
    """Return the machine that the query names, and what it said of itself when it asked what to boot."""
    told = sighting_in(request)
    machine = booter_of(request).inventory.snapshot.machine(told.mac)
    if machine is None:
        raise web.HTTPNotFound(text=f"{told.mac} has not asked what to boot; boot it again")
    sighting = replace(
        sighting_of(machine, Firmware.IPXE),
        mac=told.mac,
        macs=machine.macs,
        platform=told.platform,
        address=told.address,
        neighbour=told.neighbour,
    )
    return machine, sighting


async def _refuse(request: web.Request, machine: Machine) -> None:
    """Record the refusal; where that fails the machine boots its disk all the same, and asks again next time."""
    directive = Directive(Intent.LOCAL, AT_THE_SCREEN, "a key was pressed during its countdown")
    booter = booter_of(request)
    try:
        await booter.inventory.change(
            machine.id,
            lambda one: replace(one, directive=directive),
            Happening.REFUSED,
            directive.why,
            AT_THE_SCREEN,
        )
    except InventoryError as error:
        _log.error("refusal.not_recorded", machine=title_of(machine, booter.fleet), why=str(error))
