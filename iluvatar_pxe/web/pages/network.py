"""The page *Network*: other DHCP servers, clients that nobody knows, DNS, and what ``check`` finds."""

from collections.abc import Sequence

from aiohttp import web

from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.findings import findings
from iluvatar_pxe.admin.health import ShowHealth
from iluvatar_pxe.admin.network import ShowNetwork
from iluvatar_pxe.admin.requests.health import OK
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer

_ANSWERS = {
    "own": "Own names",
    "hot": "Asked again at once",
    "cached": "From memory",
    "stale": "Past their time",
    "forwarded": "From upstreams",
    "refused": "Refused",
}
"""By the kinds of answers that the DNS server counts."""


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""

    async def show(_: web.Request) -> web.Response:
        network = await ShowNetwork().carry_out(context.commands, "the page")
        health = await ShowHealth().carry_out(context.commands, "the page")
        return renderer.page("network.html", **network, **page_of(health))

    return [web.get("/network", show)]


def page_of(health: Data) -> Data:
    """Return what the template shows of the daemon's health: faults first."""
    return {
        "findings": _faults_first(list(findings(health))),
        "ok": OK,
        "dns": health["dns"],
        "answers": _ANSWERS,
    }


def _faults_first(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(found, key=lambda one: one[1] == OK)
