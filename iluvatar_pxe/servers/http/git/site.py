"""``/git/NAME.git``: Git's smart HTTP (gitprotocol-http(5)), for clones and pushes of the repositories hosted here."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from aiohttp import hdrs, web

from iluvatar_pxe.events import EventKind, EventLog
from iluvatar_pxe.gitops.hook import refusal_mark, refused_push
from iluvatar_pxe.gitops.repository.hosting import NAME
from iluvatar_pxe.gitops.secrets.tokens import Right, Tokens
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.context import client_of
from iluvatar_pxe.servers.http.git.access import Access
from iluvatar_pxe.servers.http.git.backend import Call
from iluvatar_pxe.servers.http.git.relay import LIMITS, GitLimits, Relay
from iluvatar_pxe.servers.http.git.turns import Turns
from iluvatar_pxe.servers.http.metering import is_fault
from iluvatar_pxe.servers.library_internals import octets_written
from iluvatar_pxe.settings.model import GitSettings

READ, WRITE = "git-upload-pack", "git-receive-pack"
_RIGHTS = {READ: Right.READ, WRITE: Right.WRITE}
_REPOSITORY = rf"/{{slashes:/*}}git/{{name:{NAME.pattern}}}{{suffix:(\.git)?/*}}"
"""As forges have it: ``.git`` may be left out, and slashes too many do no harm."""
_LFS_TYPE = "application/vnd.git-lfs+json"
_NO_LFS = (
    "this server does not offer Git LFS; commit the files without it, or set lfs.url to a server that does"
)
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
"""Which aiohttp undoes by itself."""
_PROTOCOL = re.compile(r"[a-z0-9=:.-]{1,100}")
"""The header Git-Protocol, such as ``version=2``; what else it says goes to no program."""
_PROBE_OCTETS = 4
"""A client that is going to push more than fits in one request first sends an empty one."""
_log = structlog.get_logger()


class GitSite:
    """The repositories in one directory."""

    def __init__(
        self,
        directory: Path,
        settings: GitSettings,
        tls_port: int,
        *,
        limits: GitLimits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        events: EventLog | None = None,
    ) -> None:
        """``events`` is told of pushes that the fleet's check refuses."""
        self._events = EventLog() if events is None else events
        self.meter = ProtocolMeter()
        self._directory = directory
        self._max_push = settings.max_push << 20
        self._limits = limits
        self._turns = Turns(limits.backends)
        self._clock = clock
        self._access = Access(
            Tokens(directory), clock, anonymous_read=settings.anonymous_read, tls_port=tls_port
        )

    def routes(self) -> list[web.RouteDef]:
        """Return what is served; everything else below ``/git`` is not there."""
        return [
            web.get(f"{_REPOSITORY}/info/refs", self._advertise, allow_head=False),
            web.post(f"{_REPOSITORY}/{{service:{READ}|{WRITE}}}", self._serve),
            web.route(hdrs.METH_ANY, f"{_REPOSITORY}/info/lfs{{tail:(/.*)?}}", _refuse_lfs),
        ]

    async def _advertise(self, request: web.Request) -> web.StreamResponse:
        service = request.query.get("service", "")
        if service not in _RIGHTS:
            raise web.HTTPForbidden(text="only Git's smart protocol is supported; use git 1.6.6 or newer")
        return await self._respond(request, "info/refs", service)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        service = request.match_info["service"]
        if request.content_type != f"application/x-{service}-request":
            raise web.HTTPUnsupportedMediaType(text=f"not a {service} request")
        if request.headers.get(hdrs.CONTENT_ENCODING, "").lower() not in _ENCODINGS:
            raise web.HTTPUnsupportedMediaType(text="unsupported Content-Encoding; use gzip or none")
        return await self._respond(request, service, service)

    async def _respond(self, request: web.Request, tail: str, service: str) -> web.StreamResponse:
        self.meter.requests += 1
        began = self._clock()
        try:
            response = await self._serve_one(request, tail, service)
        except web.HTTPException as error:
            if is_fault(request, error.status):
                self.meter.faults[str(error.status)] += 1
            raise
        finally:
            self.meter.received += request.content.total_bytes
            self.meter.seconds.observe(self._clock() - began)
        self.meter.sent += octets_written(response)
        return response

    async def _serve_one(self, request: web.Request, tail: str, service: str) -> web.StreamResponse:
        name = request.match_info["name"]
        user = await self._access.check(request, name, _RIGHTS[service])
        protocol = _PROTOCOL.fullmatch(request.headers.get("Git-Protocol", ""))
        call = Call(
            self._directory,
            name,
            tail,
            request.method,
            service,
            str(client_of(request)),
            user,
            protocol[0] if protocol else "",
        )
        if not await asyncio.to_thread(call.repository.is_dir):
            complain("git.refused", client=call.client, token=user, why=f"there is no repository {name}")
            raise web.HTTPNotFound(text=f"there is no repository {name}")
        async with self._turn(call):
            return await self._relay(request, call)

    async def _relay(self, request: web.Request, call: Call) -> web.StreamResponse:
        relay = Relay(request, call, self._limits, self._max_push)
        mark = await asyncio.to_thread(refusal_mark, call.repository) if call.pushes else 0
        try:
            response = await relay.run()
        finally:
            if call.pushes and relay.octets > _PROBE_OCTETS:
                _log.info(
                    "git.push", repository=call.name, by=call.user, client=call.client, octets=relay.octets
                )
        if call.pushes:
            await self._publish_refusal(call, mark)
        return response

    async def _publish_refusal(self, call: Call, mark: int) -> None:
        """Publish that the fleet's check refuses a push, if it does; ``mark`` is of the last one that it judged before."""
        if await asyncio.to_thread(refusal_mark, call.repository) == mark:
            return
        if why := await asyncio.to_thread(refused_push, call.repository):
            self._events.publish(EventKind.PUSH_REFUSED, call.user, f"{call.user}: {why}", client=call.client)

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncIterator[None]:
        """Wait for a turn of a token; those who read without one share theirs."""
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._turns.turn(call.user, self._limits.turn))
            except TimeoutError as error:
                complain("git.refused", client=call.client, token=call.user, why="too many requests at once")
                wait = {hdrs.RETRY_AFTER: "10"}
                raise web.HTTPServiceUnavailable(
                    text="too many Git requests at once; try again", headers=wait
                ) from error
            yield


async def _refuse_lfs(request: web.Request) -> web.Response:
    """Say that there is no Git LFS, in the form of which its client shows the sentence (git-lfs, docs/api/batch.md)."""
    complain("git.refused", client=request.remote, why="Git LFS is not offered")
    return web.Response(status=501, text=json.dumps({"message": _NO_LFS}), content_type=_LFS_TYPE)
