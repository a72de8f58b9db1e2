"""The page *Machines*: all of them, with filters, and those that come up now."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from aiohttp import web

from iluvatar_pxe.admin.latest import Latest
from iluvatar_pxe.admin.machine_list import Filter, Listing, listing
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.render import Renderer

_LONGEST = 100
"""Characters of one field of the filter."""


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""
    return [web.get("/", MachinesPage(context, renderer).show)]


class MachinesPage:
    """Serves the page."""

    def __init__(self, context: WebContext, renderer: Renderer) -> None:
        self._context = context
        self._renderer = renderer
        self._latest = Latest(context.events)

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the page that a query asks for."""
        wanted, page = filter_of(request.query), page_of(request.query)
        now = datetime.now(UTC)
        return self._renderer.page(
            "machines.html",
            list=await self._listing(wanted, page, now),
            wanted=wanted,
            phases=[one.value for one in Phase],
            roles=[one.value for one in Role],
            layers=sorted(self._context.fleet.layers),
            turned=lambda number: target(wanted, number),
        )

    async def _listing(self, wanted: Filter, page: int, now: datetime) -> Listing:
        self._latest.follow()
        machines = self._context.inventory.snapshot.by_id
        fleet, since = self._context.fleet, self._latest.since
        return await asyncio.to_thread(lambda: listing(machines.values(), fleet, wanted, page, now, since))


def filter_of(query: Mapping[str, str]) -> Filter:
    """Return what a query asks for; what makes no sense finds nothing, and is no error."""
    return Filter(
        words=query.get("words", "").strip()[:_LONGEST],
        phase=query.get("phase", "")[:_LONGEST],
        layer=query.get("layer", "")[:_LONGEST],
        role=query.get("role", "")[:_LONGEST],
        attention="attention" in query,
        every="every" in query,
    )


def page_of(query: Mapping[str, str]) -> int:
    """Return the number of the page that a query asks for; the first one unless it says another."""
    text = query.get("page", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def target(wanted: Filter, page: int = 1, path: str = "/") -> str:
    """Return the address of a page of the list."""
    texts = {"words": wanted.words, "phase": wanted.phase, "layer": wanted.layer, "role": wanted.role}
    flags = {"attention": wanted.attention, "every": wanted.every}
    fields = {name: text for name, text in texts.items() if text}
    fields |= {name: "on" for name, is_set in flags.items() if is_set}
    if page > 1:
        fields["page"] = str(page)
    return f"{path}?{urlencode(fields)}" if fields else path
