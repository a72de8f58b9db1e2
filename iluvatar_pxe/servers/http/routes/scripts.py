"""iPXE scripts: ``/boot.ipxe``, ``autoexec.ipxe`` beside every NBP, and a machine's own, ``/ipxe``."""

import time

from aiohttp import web

from iluvatar_pxe.boot.plan import BootLocal, CountDown, Hold, Plan, RunScript
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.fingerprint import from_ipxe
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.tickets import Claim
from iluvatar_pxe.provisioning.trust import Trust
from iluvatar_pxe.replies.ipxe import Shown, first_script, machine_script
from iluvatar_pxe.servers.http.context import (
    COUNTDOWNS,
    TICKETS,
    booter_of,
    client_of,
    links_of,
    query_of,
    script,
)

_WORDS: dict[type[Shown], str] = {BootLocal: "local", Hold: "hold", CountDown: "countdown"}

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
    booter = booter_of(request)
    sighting = sighting_in(request)
    trust = booter.trust(sighting)
    if trust.itself:
        booter.inventory.touch(sighting, Stage.FIRST_SCRIPT, vouched=not trust.doubt)
    plan = await booter.settle(sighting, trust.doubt)
    return answer(request, sighting, trust, plan, Stage.SCRIPT, started)


def sighting_in(request: web.Request) -> Sighting:
    """Return what query and neighbour table tell of who asks; raises HTTPBadRequest when it names no machine."""
    address = client_of(request)
    try:
        return from_ipxe(query_of(request), address, booter_of(request).mac_of(address))
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


def answer(
    request: web.Request, sighting: Sighting, trust: Trust, plan: Plan, stage: Stage, started: float
) -> web.Response:
    """Return the script that a plan is, with a ticket if it needs one, and record it."""
    booter, client = booter_of(request), client_of(request)
    shown = booter.hand_out(plan, client)
    if not isinstance(plan, Shown) or not isinstance(shown, Shown):
        raise web.HTTPNotFound(text=shown.why)
    machine = booter.inventory.snapshot.machine(sighting.mac)
    if machine and not trust.itself:
        booter.distrust(machine, client, request.path, trust.doubt)
    ticket = ""
    if isinstance(plan, RunScript) and plan.config is not None and machine and not trust.doubt:
        ticket = request.app[TICKETS].mint(Claim(machine.id, machine.generation), booter.config_ticket)
    text = machine_script(shown, booter.introduce(sighting, client), links_of(request), ticket)
    if machine and trust.itself:
        milliseconds = (time.perf_counter() - started) * 1000
        chain = plan.chain if isinstance(plan, RunScript) else ""
        machine = booter.record(
            sighting,
            stage,
            _what(plan),
            size=len(text),
            milliseconds=milliseconds,
            why=plan.why,
            chain=chain,
            vouched=not trust.doubt,
        )
        if isinstance(plan, CountDown):
            request.app[COUNTDOWNS].start(machine.id, machine.generation, plan.seconds)
    return script(text)


def _what(plan: Shown) -> str:
    """Return what was served, in a word."""
    return plan.chain if isinstance(plan, RunScript) else _WORDS[type(plan)]


def _first_script(request: web.Request, stage: Stage, *, network: bool) -> web.Response:
    started = time.perf_counter()
    text = first_script(links_of(request), network=network)
    booter = booter_of(request)
    machine = booter.machine_at(client_of(request))
    if machine and request.method == "GET":
        milliseconds = (time.perf_counter() - started) * 1000
        name = request.path.rpartition("/")[2]
        booter.record(sighting_of(machine), stage, name, size=len(text), milliseconds=milliseconds)
    return script(text)
