"""The page *Log in*, which also sets the first password."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import client_of, is_private
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.forms import form_of
from iluvatar_pxe.web.login.attempts import Attempts, in_thread
from iluvatar_pxe.web.login.cookie import give, given_secret, is_from_own_page, take_away
from iluvatar_pxe.web.login.first_run import FirstRun
from iluvatar_pxe.web.login.logins import Logins
from iluvatar_pxe.web.login.password import LONGEST, SHORTEST, checked, normal
from iluvatar_pxe.web.render import HEADERS, Renderer

_PLACE = re.compile(r"/(?!/)[A-Za-z0-9/._~:%-]{0,300}")
"""A page of this server: nobody is led elsewhere."""
_log = structlog.get_logger()


class LoginPage:
    """Logs people in and out. ``first_run`` has the token of a daemon whose password is not set yet."""

    def __init__(
        self,
        access: Access,
        logins: Logins,
        first_run: FirstRun,
        renderer: Renderer,
        clock: Callable[[], float],
    ) -> None:
        self._access = access
        self._logins = logins
        self._first_run = first_run
        self._renderer = renderer
        self._attempts = Attempts(clock)

    def routes(self) -> list[web.RouteDef]:
        """Return this page's routes."""
        return [
            web.get("/login", self._show),
            web.post("/login", self._log_in),
            web.post("/login/first", self._set_first),
            web.post("/logout", self._log_out),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        return await self._page(request, dict(request.query))

    async def _log_in(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        password = normal(form.get("password", ""))[: LONGEST + 1]
        return await self._answered(request, form, lambda: self._logins.log_in(password))

    async def _set_first(self, request: web.Request) -> web.Response:
        form = await self._form(request)
        try:
            password = checked(form.get("password", ""), form.get("again", ""))
        except UsageError as error:
            return await self._page(request, form, str(error), HTTPStatus.UNPROCESSABLE_ENTITY)

        def set_first() -> str | None:
            is_set = self._first_run.is_token(form.get("token", "")) and self._logins.set_password(
                password, only_first=True
            )
            if not is_set:
                return None
            self._first_run.close()
            return self._logins.log_in(password)

        return await self._answered(request, form, set_first)

    async def _log_out(self, request: web.Request) -> web.Response:
        await self._access.writer(request)
        await in_thread(lambda: self._logins.log_out(given_secret(request)))
        answer = _led_to("/")
        take_away(answer, request)
        return answer

    async def _form(self, request: web.Request) -> dict[str, str]:
        """Return what was typed; raises HTTPForbidden if others could read it, or another page had it sent."""
        self._access.check_private(request)
        if not is_from_own_page(request):
            complain("web.refused", client=request.remote, why="another page's login")
            raise web.HTTPForbidden(text="another page has sent this; use this server's own")
        return await form_of(request)

    async def _answered(
        self, request: web.Request, form: Mapping[str, str], attempt: Callable[[], str | None]
    ) -> web.Response:
        """Have a browser logged in by a new session, which ends the one that it had."""
        before = given_secret(request)

        def replaced() -> str | None:
            secret = attempt()
            if secret and before:
                self._logins.log_out(before)
            return secret

        secret = await self._attempts.run(request, replaced)
        if secret is None:
            return await self._page(request, form, "that is not right; try again", HTTPStatus.FORBIDDEN)
        _log.info("web.login", client=str(client_of(request)))
        answer = _led_to(form.get("next", ""))
        give(answer, request, secret)
        return answer

    async def _page(
        self, request: web.Request, form: Mapping[str, str], problem: str = "", status: int = HTTPStatus.OK
    ) -> web.Response:
        try:
            has_password = await in_thread(lambda: self._logins.has_password)
        except web.HTTPServiceUnavailable as error:
            has_password, problem, status = True, error.text or error.reason, error.status
        return self._renderer.page(
            "login.html",
            status=status,
            problem=problem,
            is_private=is_private(request),
            has_password=has_password,
            has_token=self._first_run.is_open,
            token=form.get("token", ""),
            next=_place(form.get("next", "")),
            shortest=SHORTEST,
            longest=LONGEST,
        )


def _led_to(place: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: _place(place), **HEADERS})


def _place(given: str) -> str:
    return given if _PLACE.fullmatch(given) else "/"
