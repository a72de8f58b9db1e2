"""What the page's buttons do: each is a command, by who is logged in."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from aiohttp import web

from iluvatar_pxe.admin.acting import act
from iluvatar_pxe.admin.registry import command_for
from iluvatar_pxe.admin.requests.enrolment import CloseWindow, OpenWindow
from iluvatar_pxe.admin.requests.machines import Forget, Hold, Reinstall, Release, Rename, SetPlace
from iluvatar_pxe.admin.requests.power import SwitchPower, Wake
from iluvatar_pxe.admin.requests.request import Request, request_of
from iluvatar_pxe.errors import IluvatarError, InvalidDraftError, OperationError, UnknownMachineError
from iluvatar_pxe.fleet.lookup import find_machine, title_of
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.control_protocol import REQUEST_SECONDS
from iluvatar_pxe.web.access import Access
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.forms import form_of
from iluvatar_pxe.web.render import HEADERS, Renderer
from iluvatar_pxe.web.said import FIELD, Said

Form = Mapping[str, str]
_MOST_DIGITS = 6
"""Of a number of minutes."""
_YES = "yes"
"""Of a box that is ticked."""


def _hold(form: Form) -> tuple[type[Request], dict[str, Any]]:
    return Hold, {"why": form.get("why", "")}


def _reinstall(form: Form) -> tuple[type[Request], dict[str, Any]]:
    return Reinstall, {box: form.get(box) == _YES for box in ("wipe", "wake", "cycle")}


def _power(form: Form) -> tuple[type[Request], dict[str, Any]]:
    return SwitchPower, {"action": form.get("do", ""), "force": form.get("force") == _YES}


def _let_in(form: Form) -> tuple[type[Request], dict[str, Any]]:
    return SetPlace, {"layer": form.get("layer", "")}


def _rename(form: Form) -> tuple[type[Request], dict[str, Any]]:
    return Rename, {"new": form.get("new", "").strip()}


ACTIONS: Mapping[str, Callable[[Form], tuple[type[Request], dict[str, Any]]]] = MappingProxyType(
    {
        "hold": _hold,
        "release": lambda _: (Release, {}),
        "reinstall": _reinstall,
        "let-in": _let_in,
        "rename": _rename,
        "forget": lambda _: (Forget, {}),
        "wake": lambda _: (Wake, {}),
        "power": _power,
    }
)
"""By the last part of the path, the command on a machine, and what the form says of it."""
BY_NAME = frozenset({"reinstall", "forget"})
"""Which are done only if the form has the machine's name: something is lost for good."""


class Actions:
    """The routes of the page's buttons."""

    def __init__(self, context: WebContext, access: Access, renderer: Renderer, said: Said) -> None:
        self._context = context
        self._access = access
        self._renderer = renderer
        self._said = said

    def routes(self) -> list[web.RouteDef]:
        """Return them."""
        names = "|".join(ACTIONS)
        return [
            web.post(f"/machines/{{machine}}/{{action:{names}}}", self._of_machine),
            web.post("/enrolment/{action:open|close}", self._of_window),
        ]

    async def _of_machine(self, request: web.Request) -> web.Response:
        action, machine = request.match_info["action"], request.match_info["machine"]
        back = f"/machines/{quote(machine, safe='')}"

        async def run(by: str, form: Form) -> str:
            if action in BY_NAME:
                self._check_name(machine, form.get("name", ""))
            kind, fields = ACTIONS[action](form)
            return await self._act(request, kind, {"machine": machine, **fields}, by)

        return await self._answered(request, run, "/" if action == "forget" else back, back)

    async def _of_window(self, request: web.Request) -> web.Response:
        async def run(by: str, form: Form) -> str:
            if request.match_info["action"] == "close":
                return await self._act(request, CloseWindow, {}, by)
            minutes = form.get("minutes", "")
            is_number = minutes.isascii() and minutes.isdecimal() and len(minutes) <= _MOST_DIGITS
            seconds = int(minutes) * 60 if is_number else 0
            return await self._act(request, OpenWindow, {"seconds": seconds}, by)

        return await self._answered(request, run, "/enrolment", "/enrolment")

    async def _act(self, request: web.Request, kind: type[Request], fields: dict[str, Any], by: str) -> str:
        """Carry a command out, and return what it came to; raises OperationError for a form that is no request."""
        try:
            command = command_for(request_of(kind, fields))
        except ValueError as error:
            raise OperationError(str(error)) from error
        async with asyncio.timeout(REQUEST_SECONDS):
            result = await act(command, self._context.commands, by, asked=request.path, through="web")
        return str(result["message"])

    def _check_name(self, machine: str, typed: str) -> None:
        fleet, snapshot = self._context.fleet, self._context.inventory.snapshot
        title = title_of(find_machine(machine, snapshot, fleet), fleet)
        if typed.strip().lower() != title:
            raise OperationError(f"that is not {title}; nothing was changed")

    async def _answered(
        self, request: web.Request, run: Callable[[str, Form], Awaitable[str]], then: str, back: str
    ) -> web.Response:
        """Lead the browser to ``then``, which says what was done; or say why nothing was, with the way ``back``.

        ``run`` does it, for who asks. Raises HTTPForbidden where another page may have sent the form.
        """
        try:
            by = await self._access.writer(request)
        except web.HTTPUnauthorized:
            why = "you are not logged in any more; log in, and do it again"
            return self._refused(request, HTTPStatus.UNAUTHORIZED, why, f"/login?next={back}")
        try:
            key = self._said.keep(await run(by, await form_of(request)))
        except UnknownMachineError as error:
            return self._refused(request, HTTPStatus.NOT_FOUND, str(error), "/")
        except (OperationError, InvalidDraftError) as error:
            return self._refused(request, HTTPStatus.CONFLICT, str(error), back)
        except IluvatarError as error:
            return self._refused(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error), back)
        except TimeoutError:
            text = f"not done within {REQUEST_SECONDS:g} s; see the daemon's log"
            return self._refused(request, HTTPStatus.GATEWAY_TIMEOUT, text, back)
        headers = {"Location": f"{then}?{FIELD}={key}", **HEADERS}
        return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)

    def _refused(self, request: web.Request, status: int, why: str, back: str) -> web.Response:
        complain("web.not_done", client=request.remote, asked=request.path, why=why)
        return self._renderer.page("not_done.html", status=status, why=why, back=back)
