"""iPXE scripts: ``/boot.ipxe``, ``autoexec.ipxe`` beside every NBP, and ``/ipxe``."""

import time

from aiohttp import web

from iluvatar_pxe.boot.plan import BootLocal, Chainload, Ignore, RunScript
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.fingerprint import from_ipxe
from iluvatar_pxe.replies.ipxe import first_script, machine_script
from iluvatar_pxe.servers.desk import sighting_of
from iluvatar_pxe.servers.http_context import DESK, TICKETS, client_of, links_of, query_of, script
from iluvatar_pxe.servers.tickets import Claim

TALOS_CONFIG = "talos-config"
"""The purpose of a ticket for a machine configuration."""

ROUTES = web.RouteTableDef()


@ROUTES.get("/boot.ipxe")
async def boot_script(request: web.Request) -> web.Response:
    """Serve the first script, for an iPXE whose network is up."""
    return _first_script(request, Stage.FIRST_SCRIPT, network=False)


@ROUTES.get("/autoexec.ipxe")
@ROUTES.get(f"/assets/{PROGRAM_FOLDER}/autoexec.ipxe")
async def autoexec_script(request: web.Request) -> web.Response:
    """Serve the first script, for an iPXE that has not configured its network."""
    return _first_script(request, Stage.NBP, network=True)


@ROUTES.get("/ipxe", allow_head=False)
async def own_script(request: web.Request) -> web.Response:
    """Serve the script of the machine that the query names."""
    started = time.perf_counter()
    desk = request.app[DESK]
    try:
        sighting = desk.as_listed(from_ipxe(query_of(request), client_of(request)))
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    plan = desk.plan(sighting)
    if isinstance(plan, Ignore | Chainload):
        raise web.HTTPNotFound(text=plan.why)
    machine = desk.inventory.snapshot.machine(sighting.mac) or desk.inventory.observe(
        sighting, Stage.FIRST_SCRIPT
    )
    ticket = request.app[TICKETS].mint(Claim(machine.id, machine.generation), TALOS_CONFIG)
    text = machine_script(plan, sighting, links_of(request), ticket)
    detail = plan.chain if isinstance(plan, RunScript) else "local" if isinstance(plan, BootLocal) else "hold"
    milliseconds = (time.perf_counter() - started) * 1000
    desk.record(sighting, Stage.SCRIPT, detail, size=len(text), milliseconds=milliseconds, why=plan.why)
    return script(text)


def _first_script(request: web.Request, stage: Stage, *, network: bool) -> web.Response:
    started = time.perf_counter()
    text = first_script(links_of(request), network=network)
    desk = request.app[DESK]
    machine = desk.inventory.machine_at(client_of(request))
    if machine and request.method == "GET":
        milliseconds = (time.perf_counter() - started) * 1000
        name = request.path.rpartition("/")[2]
        desk.record(sighting_of(machine), stage, name, size=len(text), milliseconds=milliseconds)
    return script(text)
