"""Answers to a machine's screen: ``/ipxe/confirm`` after its countdown, ``/ipxe/refuse`` after a key."""

import structlog
from aiohttp import web

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN
from iluvatar_pxe.servers.http.context import COUNTDOWNS
from iluvatar_pxe.servers.http.routes.scripts import Visit, answer, visit_of
from iluvatar_pxe.values import replace

ROUTES = web.RouteTableDef()
_log = structlog.get_logger()


@ROUTES.get("/ipxe/confirm", allow_head=False)
async def confirm(request: web.Request) -> web.Response:
    """Let the machine join whose countdown has run out; any other counts down first."""
    visit, machine = _known(request)
    trust = visit.booter.trust.of(visit.sighting, machine)
    confirmed = request.app[COUNTDOWNS].has_run_out(machine.id, machine.generation)
    decision = await visit.booter.settle(visit.sighting, trust.doubt, confirmed=confirmed)
    return answer(visit, trust, decision, Stage.CONFIRM)


@ROUTES.get("/ipxe/refuse", allow_head=False)
async def refuse(request: web.Request) -> web.Response:
    """Record that a machine that is not the fleet's is not to join, and send it to its disk, now and from now on."""
    visit, machine = _known(request)
    trust = visit.booter.trust.of(visit.sighting, machine)
    if not trust.itself:
        visit.booter.journal.distrusted(machine, visit.client, request.path, trust.doubt)
        raise web.HTTPForbidden(text=trust.doubt)
    if not visit.booter.decide(visit.sighting, trust.doubt).case.is_of_fleet:
        await _refuse(visit.booter, machine)
    decision = visit.booter.decide(visit.sighting, trust.doubt)
    return answer(visit, trust, decision, Stage.SCRIPT)


def _known(request: web.Request) -> tuple[Visit, Machine]:
    """Return the machine that the query names, and what it said of itself when it asked what to boot."""
    visit = visit_of(request)
    told = visit.sighting
    machine = visit.booter.inventory.snapshot.machine(told.mac)
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
    return replace(visit, sighting=sighting), machine


async def _refuse(booter: Booter, machine: Machine) -> None:
    """Record the refusal; where that fails the machine boots its disk all the same, and asks again next time."""
    directive = Directive(Intent.LOCAL, AT_THE_SCREEN, "a key was pressed during its countdown")
    try:
        await booter.inventory.change(
            machine.id,
            lambda one: replace(one, directive=directive),
            Happening.REFUSED,
            directive.why,
            AT_THE_SCREEN,
        )
    except InventoryError as error:
        _log.error("refusal.not_recorded", machine=title_of(machine, booter.applied.fleet), why=str(error))
