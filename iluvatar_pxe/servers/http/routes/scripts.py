"""iPXE scripts: ``/boot.ipxe``, ``autoexec.ipxe`` beside every NBP, and a machine's own, ``/ipxe``."""

import time
from functools import lru_cache
from ipaddress import IPv4Address

from aiohttp import hdrs, web
from msgspec import Struct

from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.boot.plan import BootLocal, CountDown, Hold, RunScript, ShowMenu
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.errors import WireError
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.fingerprint import from_ipxe
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.provisioning.trust import Trust
from iluvatar_pxe.replies.ipxe import Shown
from iluvatar_pxe.servers.http.context import Asker, asker_of, query_of, script

_WORDS: dict[type[Shown], str] = {BootLocal: "local", Hold: "hold", CountDown: "countdown", ShowMenu: "menu"}

_MOST_REMEMBERED, _LONGEST_REMEMBERED = 1024, 2048
"""Queries that are remembered with what they tell, and characters of one: a machine that waits asks the same again."""
_BROWSER = "Mozilla/"
"""How the User-Agent of every browser begins, which a web page that makes it ask cannot change."""

ROUTES = web.RouteTableDef()


class Visit(Struct, frozen=True):
    """A machine's iPXE at one of its routes, ``path``: ``started`` by ``perf_counter``."""

    started: float
    asker: Asker
    path: str
    sighting: Sighting

    @property
    def booter(self) -> Booter:
        """What serves it."""
        return self.asker.booter

    @property
    def client(self) -> IPv4Address:
        """Its address."""
        return self.asker.client


@ROUTES.get("/boot.ipxe")
async def boot_script(request: web.Request) -> web.Response:
    """Serve the first script, for an iPXE whose network is up."""
    return _first_script(request, Stage.FIRST_SCRIPT)


@ROUTES.get("/autoexec.ipxe")
@ROUTES.get(f"/assets/{PROGRAM_FOLDER}/autoexec.ipxe")
async def autoexec_script(request: web.Request) -> web.Response:
    """Serve the first script, for an iPXE that has not configured its network."""
    return _first_script(request, Stage.NBP)


@ROUTES.get("/ipxe", allow_head=False)
async def own_script(request: web.Request) -> web.Response:
    """Serve the script of the machine that the query names."""
    visit = visit_of(request)
    trust = visit.booter.hear(visit.sighting)
    decision = await visit.booter.settle(visit.sighting, trust.doubt)
    return answer(visit, trust, decision, Stage.SCRIPT, heard=True)


def repeated_script(asker: Asker, path: str, query: str) -> tuple[str, Decision] | None:
    """Return the script of the machine that a query names, if it was decided before, and is beyond doubt; else None.

    With it comes what was decided.
    """
    if asker.agent.startswith(_BROWSER):
        return None
    try:
        visit = _visit(asker, path, query)
    except WireError:
        return None
    trust = visit.booter.hear(visit.sighting)
    decision = None if trust.doubt else visit.booter.settled(visit.sighting)
    if decision is None:
        return None
    return _text(visit, trust, decision, Stage.SCRIPT, heard=True), decision


def visit_of(request: web.Request) -> Visit:
    """Return what query and neighbour table tell of who asks; raises HTTPBadRequest when it names no machine."""
    asker = asker_of(request)
    if asker.agent.startswith(_BROWSER):
        raise web.HTTPForbidden(text="no web page may ask in the name of a machine; use iluvatar-pxe plan")
    try:
        return _visit(asker, request.path, request.rel_url.raw_query_string)
    except WireError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


def _visit(asker: Asker, path: str, query: str) -> Visit:
    started, trust, client = time.perf_counter(), asker.booter.trust, asker.client
    sighting = _sighting(query, client, trust.mac_of(client), trust.is_routed(client))
    return Visit(started, asker, path, sighting)


def _sighting(query: str, client: IPv4Address, neighbour: str | None, routed: bool) -> Sighting:  # noqa: FBT001
    """Return what a query tells; one that is asked again is read once."""
    read = _read_once if len(query) <= _LONGEST_REMEMBERED else _read
    return read(query, client, neighbour, routed)


def _read(query: str, client: IPv4Address, neighbour: str | None, routed: bool) -> Sighting:  # noqa: FBT001
    return from_ipxe(query_of(query), client, neighbour, routed=routed)


_read_once = lru_cache(_MOST_REMEMBERED)(_read)


def answer(
    visit: Visit, trust: Trust, decision: Decision, stage: Stage, *, heard: bool = False
) -> web.Response:
    """Return the script that a decision is, with a ticket if it needs one, and record it; ``heard`` as in the journal."""
    return script(_text(visit, trust, decision, stage, heard=heard))


def _text(visit: Visit, trust: Trust, decision: Decision, stage: Stage, *, heard: bool) -> str:
    booter, plan, machine = visit.booter, decision.plan, decision.case.machine
    text = booter.handout.script(decision, visit.asker.links, visit.client, doubt=trust.doubt)
    if not isinstance(plan, Shown):
        raise web.HTTPNotFound(text=booter.handout.disclosure.plan(plan, visit.client).why)
    if machine and not trust.itself:
        booter.journal.distrusted(machine, visit.client, visit.path, trust.doubt)
    if machine and trust.itself:
        milliseconds = (time.perf_counter() - visit.started) * 1000
        machine = booter.journal.served(
            decision,
            stage,
            _what(plan),
            size=len(text),
            milliseconds=milliseconds,
            vouched=not trust.doubt,
            heard=heard,
        )
        if isinstance(plan, CountDown):
            visit.asker.countdowns.start(machine.id, machine.generation, plan.seconds)
    return text


def _what(plan: Shown) -> str:
    """Return what was served, in a word."""
    return plan.chain if isinstance(plan, RunScript) else _WORDS[type(plan)]


def _first_script(request: web.Request, stage: Stage) -> web.Response:
    is_fetched = request.method == hdrs.METH_GET
    return script(first_script(asker_of(request), request.path, stage, is_fetched=is_fetched)[0])


def first_script(
    asker: Asker, path: str, stage: Stage, *, is_fetched: bool = True
) -> tuple[str, Machine | None]:
    """Return the first script, which brings up the network where it is fetched as an NBP, and whose it is as now known.

    It is recorded if it ``is_fetched``.
    """
    started, booter = time.perf_counter(), asker.booter
    text = booter.handout.scripts.first_script(asker.links, network=stage is Stage.NBP)
    machine = booter.machine_at(asker.client)
    if machine and is_fetched:
        milliseconds = (time.perf_counter() - started) * 1000
        name = path.rpartition("/")[2]
        machine = booter.journal.fetched(machine, stage, name, size=len(text), milliseconds=milliseconds)
    return text, machine
