"""A server on loopback with the login page and one route that changes something, if the one who asks may."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from support.browser import Browser
from support.git_site import Clock
from support.ports import free_port
from support.web import Response, Web

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.secrets.tokens import Tokens
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.greeting import Greeter
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.pages.login import LoginPage
from iluvatar_pxe.web.render import Renderer
from iluvatar_pxe.web.said import Said

START = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass
class ProbeSite:
    web: Web
    clock: Clock
    tokens: Tokens
    logins: Logins
    first_run: FirstRun

    def change(self, **headers: str) -> Response:
        """Ask for a change; the answer says who is on record for it."""
        return self.web.get("/change", "POST", **headers)

    def browser(self, *, tls: bool = False) -> Browser:
        return Browser(self.web.tls_port if tls else self.web.port, tls=tls)


@contextmanager
def probe_site(directory: Path) -> Iterator[ProbeSite]:
    """Serve; ``clock`` is the time of limits and of sessions. Fails when the event loop saw a failure."""
    (directory / "assets").mkdir(exist_ok=True)
    tokens, clock, first_run = Tokens(directory / "git"), Clock(), FirstRun()
    logins = Logins(directory / "web", lambda: START + timedelta(seconds=clock.now))
    settings = HttpSettings(port=free_port(), tls_port=free_port())
    access = Access(tokens, logins, clock, settings.tls_port)
    login = LoginPage(access, logins, first_run, Renderer(), clock)

    async def change(request: web.Request) -> web.Response:
        return web.Response(text=await access.writer(request))

    greeter = Greeter(access, Said())
    pages = [greeter.route(one) for one in login.routes()]
    with Web(directory, Fleet(), settings, routes=[*pages, web.post("/change", change)]) as running:
        yield ProbeSite(running, clock, tokens, logins, first_run)
    assert not running.failures
