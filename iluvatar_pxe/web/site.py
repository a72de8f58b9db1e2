"""Puts the web site together: every page's and every part's routes, for the HTTP server."""

import time

from aiohttp import web

from iluvatar_pxe.gitops.secrets.tokens import Tokens
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.pages import assets, fleet, machines
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.static_files import StaticFiles
from iluvatar_pxe.web.streams import Streams


class WebSite:
    """The page and what belongs to it."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        settings = context.settings
        self._access = Access(Tokens(settings.repositories), time.monotonic, settings.http.tls_port)
        self._renderer = Renderer()
        self._static = StaticFiles()
        self._streams = Streams(context.events.changed)

    async def run(self) -> None:
        """Keep streams told, until cancelled."""
        await self._streams.run()

    def close(self) -> None:
        """End all streams, which would go on for ever."""
        self._streams.close()

    def routes(self) -> list[web.RouteDef]:
        """Return all routes; the HTTP server has checked by then that the client may ask."""
        pages = (machines, fleet, assets)
        shown = [route for page in pages for route in page.routes(self._context, self._renderer)]
        return [*shown, *self._static.routes()]
