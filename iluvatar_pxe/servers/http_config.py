"""Machine configurations: ``/talos/TICKET/config.yaml``."""

import time

from aiohttp import web

from iluvatar_pxe.boot.plan import RunScript
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.servers.desk import Desk, sighting_of
from iluvatar_pxe.servers.http_context import DESK, TICKETS
from iluvatar_pxe.servers.http_scripts import TALOS_CONFIG
from iluvatar_pxe.servers.tickets import TicketOffice

ROUTES = web.RouteTableDef()


@ROUTES.get("/talos/{ticket}/config.yaml", allow_head=False)
async def talos_config(request: web.Request) -> web.Response:
    """Redeem a ticket for the configuration of the machine it was made out to."""
    started = time.perf_counter()
    desk = request.app[DESK]
    text = _redeem(desk, request.app[TICKETS], request.match_info["ticket"], started)
    return web.Response(text=text, content_type="application/yaml", headers={"Cache-Control": "no-store"})


def _redeem(desk: Desk, tickets: TicketOffice, ticket: str, started: float) -> str:
    claim = tickets.check(ticket, TALOS_CONFIG)
    machine = desk.inventory.snapshot.machine_with_id(claim.machine_id) if claim else None
    if claim is None or machine is None or machine.generation != claim.generation:
        raise web.HTTPNotFound(text="that ticket is not valid, or not any more: boot the machine again")
    sighting = sighting_of(machine, Firmware.TALOS)
    plan = desk.plan(sighting)
    if not isinstance(plan, RunScript) or plan.config is None:
        raise web.HTTPNotFound(text=f"this machine has no configuration: {plan.why}")
    milliseconds = (time.perf_counter() - started) * 1000
    size = len(plan.config.encode())
    desk.record(sighting, Stage.CONFIG, f"{plan.name}/config.yaml", size=size, milliseconds=milliseconds)
    return plan.config
