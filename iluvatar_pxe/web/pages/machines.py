"""The page *Machines*: all of them, with filters, and those that come up now."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from iluvatar_pxe.admin.latest import Latest
from iluvatar_pxe.admin.machine_list import Filter, Listing, listing
from iluvatar_pxe.machines.states import Phase, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.live import Fragment, have
from iluvatar_pxe.web.render import Renderer, html_response
from iluvatar_pxe.web.shared_pages import SharedPages
from iluvatar_pxe.web.visitor import visitor

_LONGEST = 100
"""Characters of one field of the filter."""
_MOST_TROUBLES = 5


def routes(context: WebContext, renderer: Renderer) -> list[web.RouteDef]:
    """Return this page's routes."""
    pages, latest = SharedPages(), Latest(context.events)

    async def show(request: web.Request) -> web.Response:
        wanted, number = filter_of(request.query), page_number(request.query)
        view = MachinesView(context, renderer, latest, wanted, number)

        async def render() -> str:
            return await renderer.text_in_turns("machines.html", **await view.page())

        return html_response(await pages.get((wanted, number, visitor()), render))

    return [web.get("/", show)]


class MachinesView:
    """The list as a filter leaves it, one page of it."""

    def __init__(
        self, context: WebContext, renderer: Renderer, latest: Latest, wanted: Filter, page: int
    ) -> None:
        self._context = context
        self._renderer = renderer
        self._wanted = wanted
        self._page = page
        self._latest = latest

    async def page(self) -> dict[str, Any]:
        """Return what the whole page's template shows."""
        found = await self._listing()
        return self._values(found) | {
            "phases": [one.value for one in Phase],
            "roles": [one.value for one in Role],
            "layers": sorted(self._context.fleet.layers),
            "stream": target(self._wanted, self._page, "/live/machines", have(self._parts(found))),
        }

    async def fragments(self) -> Sequence[Fragment]:
        """Return the parts of the page that change."""
        return self._parts(await self._listing())

    async def _listing(self) -> Listing:
        self._latest.follow()
        snapshot, fleet = self._context.inventory.snapshot, self._context.fleet
        roll = self._context.commands.roll
        now, since = datetime.now(UTC), self._latest.since

        def work() -> Listing:
            return listing(roll.entries(snapshot, fleet), self._wanted, self._page, now, since)

        return await asyncio.to_thread(work)

    def _values(self, found: Listing) -> dict[str, Any]:
        shown = {"list": found, "wanted": self._wanted, "turned": partial(target, self._wanted)}
        return shown | {"joining": self._context.inventory.window, "troubles": self._troubles(found)}

    def _troubles(self, found: Listing) -> list[str]:
        """Return what would keep the first machine from booting; nothing once there is one."""
        if found.seen or found.passing:
            return []
        health = self._context.health
        parts = [f"{name}: {why}" for name, check in health.parts.items() if (why := check())]
        return [*parts, *health.boot()][:_MOST_TROUBLES]

    def _first_run(self, found: Listing) -> object:
        window = self._context.inventory.window
        return (found.seen or found.passing) > 0, window.is_open, self._troubles(found)

    def _parts(self, found: Listing) -> list[Fragment]:
        """Cards and rows are parts of their own, so that of many machines only those are sent that changed."""
        values = self._values(found)
        ids = tuple(one.id for one in found.rows)
        booting = tuple(one.id for one in found.coming_up)
        around = replace(found, rows=(), coming_up=())
        whole = [
            ("summary", (found.seen, len(booting)), "_machines_summary.html", values),
            ("first-run", self._first_run(found), "_first_run.html", values),
            ("coming-up", booting, "_coming_up.html", values),
            ("list", (ids, around), "_machine_table.html", values),
        ]
        cards = [(f"c-{one.id}", one, "_coming_up_card.html", {"row": one}) for one in found.coming_up]
        rows = [(f"m-{one.id}", one, "_machine_row.html", {"row": one}) for one in found.rows]
        return [
            Fragment(name, data, partial(self._renderer.text, template, **told))
            for name, data, template, told in (*whole, *cards, *rows)
        ]


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


def page_number(query: Mapping[str, str]) -> int:
    """Return the number of the page that a query asks for; the first one unless it says another."""
    text = query.get("page", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1


def target(wanted: Filter, page: int = 1, path: str = "/", shown: str = "") -> str:
    """Return the address of a page of the list; ``shown`` is what a stream need not send."""
    texts = {"words": wanted.words, "phase": wanted.phase, "layer": wanted.layer, "role": wanted.role}
    flags = {"attention": wanted.attention, "every": wanted.every}
    fields = {name: text for name, text in texts.items() if text}
    fields |= {name: "on" for name, is_set in flags.items() if is_set}
    if page > 1:
        fields["page"] = str(page)
    if shown:
        fields["have"] = shown
    return f"{path}?{urlencode(fields, errors='replace')}" if fields else path
