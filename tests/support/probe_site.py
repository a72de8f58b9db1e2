"""A server on loopback with the login page and one route that changes something, if the one who asks may."""

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from support.git_site import Clock, answer_of
from support.ports import free_port
from support.web import Response, Web

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.secrets.tokens import Tokens
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.pages.login import LoginPage
from iluvatar_pxe.web.render import Renderer

PASSWORD = "correct horse battery"
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

    def browser(self, *, tls: bool = False) -> "Browser":
        return Browser(self.web, tls=tls)


@dataclass
class Browser:
    """What a browser does of its own: it keeps cookies, and says whose page sends a form."""

    web: Web
    tls: bool = False
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.web.tls_port}" if self.tls else f"http://127.0.0.1:{self.web.port}"

    def get(self, target: str, **headers: str) -> Response:
        return self._ask("GET", target, b"", headers)

    def post(self, target: str, form: dict[str, str] | None = None, **headers: str) -> Response:
        headers = {"Origin": self.origin, "Content_Type": "application/x-www-form-urlencoded"} | headers
        return self._ask("POST", target, urlencode(form or {}).encode(), headers)

    def log_in(self, password: str = PASSWORD, **form: str) -> Response:
        return self.post("/login", {"password": password, **form})

    @property
    def csrf(self) -> str:
        """Return the token that the page has in its forms; empty where nobody is logged in."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/login").text)
        return found[1] if found else ""

    def _ask(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Response:
        lines = {
            "Host": self.origin.partition("//")[2],
            "Connection": "close",
            "Content-Length": str(len(body)),
        }
        if self.cookies:
            lines["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        with self._connected() as sock:
            sock.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body)
            answer = answer_of(sock)
        self._keep(answer.headers.get("set-cookie", ""))
        return answer

    def _connected(self) -> socket.socket:
        sock = self.web.connect(tls=self.tls)
        if not self.tls:
            return sock
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(sock)

    def _keep(self, cookie: str) -> None:
        name, _, rest = cookie.partition("=")
        if name and (value := rest.partition(";")[0].strip('"')):
            self.cookies[name] = value
        elif name:
            self.cookies.pop(name, None)


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

    pages = [web.route(one.method, one.path, access.greeting(one.handler)) for one in login.routes()]
    with Web(directory, Fleet(), settings, routes=[*pages, web.post("/change", change)]) as running:
        yield ProbeSite(running, clock, tokens, logins, first_run)
    assert not running.failures
