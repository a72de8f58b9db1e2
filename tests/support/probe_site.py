"""A server on loopback with one route that changes something, if the one who asks may."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from support.git_site import Clock
from support.ports import free_port
from support.web import Response, Web

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.secrets.tokens import Tokens
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.web.access import Access


@dataclass
class ProbeSite:
    web: Web
    clock: Clock
    tokens: Tokens

    def change(self, **headers: str) -> Response:
        """Ask for a change; the answer says who is on record for it."""
        return self.web.get("/change", "POST", **headers)


@contextmanager
def probe_site(directory: Path) -> Iterator[ProbeSite]:
    """Serve; fails when the event loop saw a failure."""
    (directory / "assets").mkdir()
    tokens, clock = Tokens(directory / "git"), Clock()
    settings = HttpSettings(port=free_port(), tls_port=free_port())
    access = Access(tokens, clock, settings.tls_port)

    async def change(request: web.Request) -> web.Response:
        return web.Response(text=await access.writer(request))

    with Web(directory, Fleet(), settings, routes=[web.post("/change", change)]) as running:
        yield ProbeSite(running, clock, tokens)
    assert not running.failures
