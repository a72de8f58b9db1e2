"""Machine configurations: ``/talos/TICKET/config.yaml``."""

import time
from ipaddress import IPv4Address

from aiohttp import web

from iluvatar_pxe.boot.plan import RunScript
from iluvatar_pxe.fleet.nics import owner_of
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.servers.http.context import booter_of, client_of

ROUTES = web.RouteTableDef()


@ROUTES.get("/talos/{ticket}/config.yaml", allow_head=False)
async def talos_config(request: web.Request) -> web.Response:
    """Redeem a ticket for the configuration of the machine it was made out to."""
    started = time.perf_counter()
    booter = booter_of(request)
    machine = booter.handout.holder(request.match_info["ticket"], booter.inventory.snapshot)
    if machine is None:
        raise web.HTTPNotFound(text="invalid or expired ticket; boot the machine again")
    text = await _redeem(booter, machine, client_of(request), started)
    return web.Response(text=text, content_type="application/yaml", headers={"Cache-Control": "no-store"})


async def _redeem(booter: Booter, machine: Machine, client: IPv4Address, started: float) -> str:
    disclosure = booter.handout.disclosure
    if doubt := booter.trust.doubt_of_holder(machine, client):
        booter.journal.distrusted(machine, client, "config.yaml", doubt)
        mac = booter.trust.mac_of(client)
        if mac and not booter.trust.is_routed(client) and not _has_owner(booter, mac):
            booter.inventory.doubt_nic(machine.id, mac)
        raise web.HTTPForbidden(text=f"the ticket belongs to another machine: {doubt}")
    plan = booter.decide(sighting_of(machine, Firmware.TALOS)).plan
    if not isinstance(plan, RunScript) or plan.config is None:
        why = disclosure.plan(plan, client).why
        raise web.HTTPNotFound(text=f"this machine has no configuration: {why}")
    config = await disclosure.configuration(plan.config, client)
    milliseconds = (time.perf_counter() - started) * 1000
    name, size = f"{plan.name}/config.yaml", len(config.encode())
    booter.journal.fetched(
        machine, Stage.CONFIG, name, size=size, milliseconds=milliseconds, firmware=Firmware.TALOS
    )
    return config


def _has_owner(booter: Booter, mac: str) -> bool:
    return bool(owner_of(mac, booter.inventory.snapshot, booter.applied.fleet))
