"""Puts the web site together: every page's and every part's routes, for the HTTP server."""

import asyncio
import time

from aiohttp import web

from iluvatar_pxe.gitops.secrets.tokens import Tokens
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.api import commands, events
from iluvatar_pxe.web.api import page as api_page
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.greeting import Greeter
from iluvatar_pxe.web.live import Live
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.metrics import route as metrics
from iluvatar_pxe.web.pages import assets, clusters, enrolment, fleet, machine, machines, network
from iluvatar_pxe.web.pages.actions import Actions
from iluvatar_pxe.web.pages.live import LivePages
from iluvatar_pxe.web.pages.login import LoginPage
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.said import Said
from iluvatar_pxe.web.static_files import StaticFiles
from iluvatar_pxe.web.streams import Streams


class WebSite:
    """The page and what belongs to it."""

    def __init__(self, context: WebContext, logins: Logins, first_run: FirstRun) -> None:
        settings = context.settings
        self.first_run = first_run
        self.logins = logins
        self._context = context
        self._access = Access(
            Tokens(settings.repositories), self.logins, time.monotonic, settings.http.tls_port
        )
        self._said = Said()
        self._renderer = Renderer()
        self._static = StaticFiles()
        self.live = Live(context.events.changed, context.inventory.changed)
        self._streams = Streams(context.events.changed, self.live.changed)
        self._clusters = clusters.answer_of(context)

    async def run(self) -> None:
        """Keep streams and pages told, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._streams.run())
            group.create_task(self.live.run())
            group.create_task(self._clusters.run())

    def close(self) -> None:
        """End all streams, which would go on for ever."""
        self._streams.close()

    def routes(self) -> list[web.RouteDef]:
        """Return all routes; the HTTP server has checked by then that the client may ask."""
        login = LoginPage(self._access, self.logins, self.first_run, self._renderer, time.monotonic)
        actions = Actions(self._context, self._access, self._renderer, self._said)
        pages = (machines, machine, enrolment, network, fleet, assets)
        shown = [route for page in pages for route in page.routes(self._context, self._renderer)]
        shown += clusters.routes(self._clusters, self._renderer)
        greeter = Greeter(self._access, self._said)
        shown += [*login.routes(), *actions.routes(), *api_page.routes(self._renderer)]
        greeted = map(greeter.route, shown)
        api = (*commands.routes(self._context, self._access), *events.routes(self._context, self._streams))
        live = LivePages(self._context, self._renderer, self.live, self._streams)
        return [*greeted, *live.routes(), *api, *metrics.routes(self._context), *self._static.routes()]
