"""Machine configurations: ``/talos/TICKET/config.yaml``."""

import time
from functools import partial
from ipaddress import IPv4Address

from aiohttp import web

from iluvatar_pxe.boot.plan import RunScript, ToBeMade
from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.machines.model import Machine, sighting_of
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.configurations import Made
from iluvatar_pxe.servers.http.context import booter_of, client_of
from iluvatar_pxe.servers.http.holders import check_holder

ROUTES = web.RouteTableDef()


@ROUTES.get("/talos/{ticket}/config.yaml", allow_head=False)
async def talos_config(request: web.Request) -> web.Response:
    """Redeem a ticket for the configuration of the machine it was made out to, once that is ready."""
    booter, ticket = booter_of(request), request.match_info["ticket"]
    redeem = partial(_redeem, booter, ticket, client_of(request), time.perf_counter())
    try:
        text = await booter.configurations.when_ready(redeem)
    except ConfigurationError as error:
        why = "the configuration is not ready; the boot server's log has the reason"
        raise web.HTTPServiceUnavailable(text=why) from error
    return web.Response(text=text, content_type="application/yaml", headers={"Cache-Control": "no-store"})


async def _redeem(booter: Booter, ticket: str, client: IPv4Address, started: float) -> str:
    """Return the configuration; raises ConfigurationError where it cannot be made now."""
    machine = _holder(booter, ticket, client)
    plan = booter.decide(sighting_of(machine, Firmware.TALOS)).plan
    disclosure = booter.handout.disclosure
    if not isinstance(plan, RunScript) or plan.config is None:
        why = disclosure.plan(plan, client).why
        raise web.HTTPNotFound(text=f"this machine has no configuration: {why}")
    if isinstance(plan.config, ToBeMade):
        made = await booter.configurations.make(machine, plan.config, booter.applied.fleet, client)
        machine = _holder(booter, ticket, client)  # it took time
    else:
        made = Made(plan.config, partial=False)
    config = await disclosure.configuration(made.text, client)
    name, size = f"{plan.name}/config.yaml", len(config.encode())
    if made.partial:
        booter.waits(machine, client)
        return config
    milliseconds = (time.perf_counter() - started) * 1000
    booter.gave(machine, made, name, size, milliseconds)
    return config


def _holder(booter: Booter, ticket: str, client: IPv4Address) -> Machine:
    """Return the machine that a ticket is made out to, if it is that machine which shows the ticket."""
    machine = booter.handout.holder(ticket, booter.inventory.snapshot)
    if machine is None:
        raise web.HTTPNotFound(text="invalid or expired ticket; boot the machine again")
    check_holder(booter, machine, client, "config.yaml")
    return machine
