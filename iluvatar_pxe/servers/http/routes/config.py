"""Machine configurations: ``/talos/TICKET/config.yaml``."""

import time
from ipaddress import IPv4Address

from aiohttp import web

from iluvatar_pxe.boot.plan import RunScript
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.tickets import Tickets
from iluvatar_pxe.servers.http.context import TICKETS, booter_of, client_of

ROUTES = web.RouteTableDef()


@ROUTES.get("/talos/{ticket}/config.yaml", allow_head=False)
async def talos_config(request: web.Request) -> web.Response:
    """Redeem a ticket for the configuration of the machine it was made out to."""
    started = time.perf_counter()
    booter = booter_of(request)
    machine = _holder(booter, request.app[TICKETS], request.match_info["ticket"])
    text = await _redeem(booter, machine, client_of(request), started)
    return web.Response(text=text, content_type="application/yaml", headers={"Cache-Control": "no-store"})


def _holder(booter: Booter, tickets: Tickets, ticket: str) -> Machine:
    claim = tickets.check(ticket, booter.config_ticket)
    machine = booter.inventory.snapshot.machine_with_id(claim.machine_id) if claim else None
    outdated = not claim or not machine or machine.generation != claim.generation
    if machine is None or outdated or machine.phase is Phase.JOINED:
        raise web.HTTPNotFound(text="that ticket is not valid, or not any more: boot the machine again")
    return machine


async def _redeem(booter: Booter, machine: Machine, client: IPv4Address, started: float) -> str:
    if doubt := booter.doubt_of_holder(machine, client):
        booter.distrust(machine, client, "config.yaml", doubt)
        raise web.HTTPForbidden(text=f"that ticket is another machine's: {doubt}")
    sighting = sighting_of(machine, Firmware.TALOS)
    plan = booter.plan(sighting)
    if not isinstance(plan, RunScript) or plan.config is None:
        raise web.HTTPNotFound(text=f"this machine has no configuration: {booter.hand_out(plan, client).why}")
    config = await booter.hand_out_config(plan.config, client)
    milliseconds = (time.perf_counter() - started) * 1000
    size = len(config.encode())
    booter.record(sighting, Stage.CONFIG, f"{plan.name}/config.yaml", size=size, milliseconds=milliseconds)
    return config
