"""The web site, which is loaded when somebody looks at it: its pages, its API, and all commands."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiohttp import web

from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins

if TYPE_CHECKING:
    from iluvatar_pxe.web.site import WebSite


class LateSite:
    """A part that runs what is there from the first request on."""

    def __init__(self, context: WebContext) -> None:
        self.first_run = FirstRun()
        self.logins = Logins(context.settings.state_directory / "web")
        self._context = context
        self._site: WebSite | None = None
        self._wanted = asyncio.Event()
        self._is_closed = False

    async def routes(self) -> Iterable[web.RouteDef]:
        """Load the site, in a thread, and return its routes."""
        kind = await asyncio.to_thread(_kind)
        self._site = kind(self._context, self.logins, self.first_run)
        if self._is_closed:
            self._site.close()
        self._wanted.set()
        return self._site.routes()

    async def run(self) -> None:
        """Keep streams and pages told, until cancelled."""
        await self._wanted.wait()
        if self._site:
            await self._site.run()

    def close(self) -> None:
        """End all streams, which would go on for ever; a site that is loaded only now begins none."""
        self._is_closed = True
        if self._site:
            self._site.close()


def _kind() -> "type[WebSite]":
    from iluvatar_pxe.web.site import WebSite  # noqa: PLC0415 - 5 MiB, until somebody looks at a page

    return WebSite
