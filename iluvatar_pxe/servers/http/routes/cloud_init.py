"""What Raspberry Pis configure themselves with, and report: below ``/cloud-init/TICKET``."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address

import structlog
from aiohttp import web

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.lookup import title_of
from iluvatar_pxe.layers.ainur.documents import CloudInitDocuments, swap_answer
from iluvatar_pxe.layers.ainur.founding import Asks
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.reports import read_event
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import sighting_of
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.printable import printable
from iluvatar_pxe.provisioning.cloud_init import instance_id_of
from iluvatar_pxe.provisioning.held_requests import FoundT
from iluvatar_pxe.servers.http.context import client_of
from iluvatar_pxe.servers.http.shown_ticket import ShownTicket, shown_ticket
from iluvatar_pxe.values import replace

ROUTES = web.RouteTableDef()
RETRY_SECONDS = "5"
_NO_STORE = {"Cache-Control": "no-store"}
_FIELDS = {
    "meta-data": "meta_data",
    "user-data": "user_data",
    "vendor-data": "vendor_data",
    "network-config": "network_config",
}
_DEAD = "the ticket is used up, or of an earlier boot; boot the machine from the network again"
_log = structlog.get_logger()


@ROUTES.get(
    "/cloud-init/{ticket}/{document:meta-data|user-data|vendor-data|network-config}", allow_head=False
)
async def documents(request: web.Request) -> web.Response:
    """Give one of a machine's documents, once they can be made."""
    name, started = request.match_info["document"], time.perf_counter()

    async def make() -> CloudInitDocuments:
        shown = shown_ticket(request, name)
        if not shown.cloud_init.tickets.gives_documents(shown.ticket, shown.holder):
            raise web.HTTPNotFound(text=_DEAD)
        return await shown.cloud_init.documents(shown.asker(request), shown.booter.applied.fleet)

    made = await _once_ready(shown_ticket(request, name), make)
    text = str(getattr(made, _FIELDS[name]))
    if name == "user-data":
        _gave_documents(
            shown_ticket(request, name), len(text.encode()), (time.perf_counter() - started) * 1000
        )
    return web.Response(text=text, headers=_NO_STORE)


@ROUTES.post("/cloud-init/{ticket}/swap")
async def swap(request: web.Request) -> web.Response:
    """Give a machine its secret files and a receipt, once its turn has come: again and again until it shows the receipt."""
    asks = Asks(has_data=bool((await _values(request, "swap")).get("etcd")))

    async def give() -> Mapping[str, NodeFile]:
        shown = shown_ticket(request, "swap")
        if not shown.holder.may_swap:
            raise web.HTTPGone(text=_DEAD)
        fleet = shown.booter.applied.fleet
        return await shown.cloud_init.secrets(shown.asker(request), fleet, asks)

    files = await _once_ready(shown_ticket(request, "swap"), give)
    shown = shown_ticket(request, "swap")
    _learn_address(shown, client_of(request))
    text = swap_answer(files, shown.cloud_init.tickets.receipt(shown.holder))
    name = title_of(shown.machine, shown.booter.applied.fleet)
    shown.booter.journal.fetched(shown.machine, Stage.CONFIG, f"{name}/secrets", size=len(text.encode()))
    return web.Response(text=text, content_type="application/json", headers=_NO_STORE)


@ROUTES.post("/cloud-init/{ticket}/stored")
async def stored(request: web.Request) -> web.Response:
    """Take in that a machine has stored its secrets: its ticket is dead from now on."""
    receipt = str((await _values(request, "stored")).get("receipt", ""))
    shown = shown_ticket(request, "stored")
    holder, cloud_init = shown.holder, shown.cloud_init
    if not cloud_init.tickets.is_receipt(receipt, holder):
        raise web.HTTPForbidden(text="that is no receipt for this ticket; swap it again")
    if holder.is_spent:  # the answer was lost
        return web.Response(text="stored\n")
    if not holder.may_swap:
        raise web.HTTPGone(text=_DEAD)
    asker, fleet = shown.asker(request), shown.booter.applied.fleet
    shown.booter.inventory.note_seed(holder.machine.id, Seed(holder.boot, is_spent=True))
    _log.info("k3s.stored", machine=asker.name(fleet), boot=holder.boot)
    cloud_init.on_stored(asker.place.layer, asker.name(fleet))
    return web.Response(text="stored\n")


@ROUTES.post("/cloud-init/{ticket}/phone-home")
async def phone_home(request: web.Request) -> web.Response:
    """Take in that cloud-init has configured a machine, if that is the one whose ticket it shows; no stage of its boot."""
    shown_ticket(request, "phone-home")
    form = await request.post()
    shown = shown_ticket(request, "phone-home")
    name, client = title_of(shown.machine, shown.booter.applied.fleet), client_of(request)
    told = (str(form.get("hostname", "")), str(form.get("instance_id", "")))
    if told != (name, instance_id_of(shown.machine)):
        doubt = (
            f"it calls itself {printable(told[0])[:64]!r}, which is another machine's name or an earlier one"
        )
        shown.booter.journal.distrusted(shown.machine, client, "phone-home", doubt)
        raise web.HTTPForbidden(text=doubt)
    _log.info("pi.phone-home", machine=name, client=str(client))
    return web.Response(text="welcome\n")


@ROUTES.post("/cloud-init/{ticket}/report")
async def report(request: web.Request) -> web.Response:
    """Take in an event of cloud-init, or of the program that prepares k3s."""
    shown_ticket(request, "report")
    try:
        event = read_event((await request.read()).decode())
    except ValueError as error:
        raise web.HTTPBadRequest(text="that is no event of cloud-init") from error
    shown = shown_ticket(request, "report")
    shown.cloud_init.reports.take(shown.machine, client_of(request), event)
    return web.Response(text="noted\n")


async def _once_ready(shown: ShownTicket, attempt: Callable[[], Awaitable[FoundT]]) -> FoundT:
    try:
        return await shown.cloud_init.held.when_ready(attempt)
    except ConfigurationError as error:
        raise web.HTTPServiceUnavailable(text=str(error), headers={"Retry-After": RETRY_SECONDS}) from error


async def _values(request: web.Request, asked: str) -> Mapping[str, object]:
    """Return what a machine sends with its ticket."""
    shown_ticket(request, asked)
    try:
        found = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="send a JSON object") from error
    return found if isinstance(found, dict) else {}


def _gave_documents(shown: ShownTicket, size: int, milliseconds: float) -> None:
    """Take in that a machine has its documents: from now on only their ticket is good."""
    inventory, machine = shown.booter.inventory, shown.machine
    name = title_of(machine, shown.booter.applied.fleet)
    inventory.note_seed(machine.id, machine.seed.in_boot(shown.holder.boot))
    shown.booter.journal.fetched(
        machine, Stage.CONFIG, f"{name}/user-data", size=size, milliseconds=milliseconds
    )


def _learn_address(shown: ShownTicket, client: IPv4Address) -> None:
    """Its operating system may have another address than its firmware had."""
    sighting = replace(sighting_of(shown.machine, Firmware.TALOS), address=client)
    shown.booter.inventory.touch(sighting, shown.machine.reached)
