"""The streams by which the pages *Machines* and of one machine stay true."""

from collections.abc import Mapping
from uuid import UUID

from aiohttp import web

from iluvatar_pxe.admin.latest import Latest
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.live import Live
from iluvatar_pxe.web.pages.machine import MachineView
from iluvatar_pxe.web.pages.machines import MachinesView, filter_of, page_number, target
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.streams import Streams


class LivePages:
    """Serves them."""

    def __init__(self, context: WebContext, renderer: Renderer, live: Live, streams: Streams) -> None:
        self._context = context
        self._renderer = renderer
        self._live = live
        self._streams = streams
        self._latest = Latest(context.events)

    def routes(self) -> list[web.RouteDef]:
        """Return the streams' routes."""
        return [
            web.get("/live/machines", self._machines, allow_head=False),
            web.get("/live/machines/{machine}", self._machine, allow_head=False),
        ]

    async def _machines(self, request: web.Request) -> web.StreamResponse:
        wanted, page = filter_of(request.query), page_number(request.query)
        view = MachinesView(self._context, self._renderer, self._latest, wanted, page)
        return await self._live.send(request, self._streams, target(wanted, page), view)

    async def _machine(self, request: web.Request) -> web.StreamResponse:
        machine_id = _id_of(request.match_info)
        view = MachineView(self._context, self._renderer, machine_id)
        return await self._live.send(request, self._streams, str(machine_id), view)


def _id_of(path: Mapping[str, str]) -> UUID:
    try:
        return UUID(path["machine"])
    except ValueError as error:
        raise web.HTTPNotFound(text="a machine's stream goes by its id") from error
