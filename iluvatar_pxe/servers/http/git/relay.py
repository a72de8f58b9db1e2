"""A request for a repository and git's answer, passed on both ways at the pace of whoever is slower, and never kept."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import PayloadEncodingError
from msgspec import Struct

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.git import last_line
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.servers.http.git.backend import Backend, Call

_LOOK_OCTETS = 16 << 20
"""Octets of a push between two looks at the space that is left."""
_CLEAN_UP_SECONDS = 3.0
"""For git to remove all of a push of which no more comes."""
_KEPT_HEADERS = ("Content-Type", "Cache-Control", "Expires", "Pragma")
_FATAL_BAND = b"\3"
"""Of the side-band (gitprotocol-pack(5)): what the client shows before it gives up."""


class GitLimits(Struct, frozen=True):
    """What Git may cost. Times are in seconds, sizes in octets."""

    backends: int = 8
    """Requests that are served at a time; of one token, half of them."""
    turn: float = 30.0
    """How long others wait for their turn."""
    body: float = 60.0
    """How long a client may send nothing of its request."""
    git: float = 120.0
    """How long git may take for a push when it has all of it, hooks and all, or say nothing to a fetch."""
    longest: float = 3600.0
    """How long anything may take."""
    memory: int = 1 << 30
    """Address space of each process of git."""
    reserve: int = 64 << 20
    """What stays free of the disk."""
    negotiation: int = 10 << 20
    """What a client may say when it fetches; git keeps that in memory, and no more of it (http.maxRequestBuffer)."""


LIMITS = GitLimits()


class Relay:
    """Serves one request. ``octets`` counts what has come of its body."""

    def __init__(self, request: web.Request, call: Call, limits: GitLimits, max_push: int) -> None:
        """``max_push`` is in octets."""
        self.octets = 0
        self._request = request
        self._call = call
        self._limits = limits
        self._most = max_push if call.pushes else limits.negotiation
        self._response: web.StreamResponse | None = None
        self._is_whole = False
        """All of the request has come."""
        self._is_fed = asyncio.Event()
        """No more comes, for whatever reason."""

    async def run(self) -> web.StreamResponse:
        """Have git answer the request; raises what says why not, as long as nothing is answered yet."""
        try:
            return await self._run()
        except (web.HTTPRequestEntityTooLarge, web.HTTPInsufficientStorage) as error:
            if not (self._call.pushes and self._request.headers.get("User-Agent", "").startswith("git/")):
                raise
            return await self._tell_git(error)

    async def _run(self) -> web.StreamResponse:
        announced = self._request.content_length or 0
        self._check_size(announced)
        if self._call.pushes:
            await self._check_room(announced)
        try:
            backend = await Backend.start(self._call, self._limits.memory)
        except RepositoryError as error:
            raise self._own_fault(error) from error
        try:
            return await self._answer_or_break_off(backend)
        finally:
            is_broken_off = self._call.pushes and not self._is_whole
            await backend.close(_CLEAN_UP_SECONDS if is_broken_off else 0.0)
            if backend.complaints:
                complain("git.complaint", repository=self._call.name, why=last_line(backend.complaints, 0))

    async def _answer_or_break_off(self, backend: Backend) -> web.StreamResponse:
        try:
            return await self._pass_on(backend)
        except ConnectionError:
            return self._response or web.Response(status=400, text="the client disconnected\n")
        except TimeoutError:
            remedy = "; fetch to see whether the push was accepted" if self._call.pushes else ""
            return await self._break_off(web.HTTPGatewayTimeout(text=f"git timed out{remedy}"))
        except web.HTTPException as error:
            return await self._break_off(error)
        except RepositoryError as error:
            return await self._break_off(self._own_fault(error))

    async def _pass_on(self, backend: Backend) -> web.StreamResponse:
        try:
            async with asyncio.timeout(self._limits.longest), asyncio.TaskGroup() as group:
                feeding = group.create_task(self._feed(backend))
                response = await self._answer(backend)
                await self._is_fed.wait()  # a client that still sends would not see the end of an answer
                feeding.cancel()
        except BaseExceptionGroup as group_of_one:
            raise group_of_one.exceptions[0] from None
        return response

    async def _feed(self, backend: Backend) -> None:
        """Give git the request, and what it needs of the time after it."""
        try:
            is_wanted = True
            async for octets in self._body():
                is_wanted = is_wanted and await self._give(backend, octets)
            self._is_whole = True
        finally:
            backend.end_of_request()
            self._is_fed.set()
        if self._call.pushes:
            await asyncio.sleep(self._limits.git)
            raise TimeoutError

    async def _body(self) -> AsyncIterator[bytes]:
        look = _LOOK_OCTETS
        while octets := await self._next_octets():
            self.octets += len(octets)
            self._check_size(self.octets)
            if self._call.pushes and self.octets >= look:
                look += _LOOK_OCTETS
                await self._check_room(0)
            yield octets

    async def _next_octets(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.body):
                return await self._request.content.readany()
        except TimeoutError as error:
            told = f"no data received for {self._limits.body:g} s"
            raise web.HTTPRequestTimeout(text=told) from error
        except (PayloadEncodingError, web.RequestPayloadError) as error:
            raise web.HTTPBadRequest(text="the body does not match its Content-Encoding") from error

    async def _give(self, backend: Backend, octets: bytes) -> bool:
        """Say whether git wants more: it may know enough, such as that a pack is corrupt."""
        try:
            async with asyncio.timeout(self._limits.git):
                await backend.take(octets)
        except ConnectionError:
            return False
        return True

    async def _answer(self, backend: Backend) -> web.StreamResponse:
        async with self._patience():
            head = await backend.head()
        if head.status != 200:
            raise web.HTTPBadGateway(text=f"git answers {head.status}")
        headers = {name: head.headers[name] for name in _KEPT_HEADERS if name in head.headers}
        octets = await self._read(backend)  # before that, the answer can still be a refusal
        self._response = web.StreamResponse(headers=headers)
        await self._response.prepare(self._request)
        while octets:
            await self._response.write(octets)
            octets = await self._read(backend)
        return self._response

    async def _read(self, backend: Backend) -> bytes:
        async with self._patience():
            return await backend.read()

    def _patience(self) -> asyncio.Timeout:
        return asyncio.timeout(None if self._call.pushes else self._limits.git)

    def _check_size(self, octets: int) -> None:
        if octets > self._most:
            setting = "; see [git] max_push" if self._call.pushes else ""
            told = f"requests over {self._most >> 20} MiB are refused{setting}"
            raise web.HTTPRequestEntityTooLarge(self._most, octets, text=told)

    async def _check_room(self, octets: int) -> None:
        free = (await asyncio.to_thread(shutil.disk_usage, self._call.root)).free
        if free < octets + self._limits.reserve:
            told = f"this server's disk is full: {free >> 20} MiB are free; free some in {self._call.root}"
            raise web.HTTPInsufficientStorage(text=told)

    def _own_fault(self, error: RepositoryError) -> web.HTTPException:
        complain("git.failed", logging.ERROR, repository=self._call.name, why=str(error))
        return web.HTTPInternalServerError(text="git failed on that request; see this server's log")

    async def _tell_git(self, error: web.HTTPException) -> web.StreamResponse:
        """Refuse a push so that the person reads why: of an HTTP error git shows the number only.

        What still comes of the request is dropped, for a client that cannot send it does not look at the answer.
        """
        with suppress(web.HTTPException, ConnectionError):
            while await self._next_octets():
                pass
        headers = {"Content-Type": "application/x-git-receive-pack-result", "Cache-Control": "no-cache"}
        return web.Response(body=_fatal(error) + b"0000", headers=headers)

    async def _break_off(self, error: web.HTTPException) -> web.StreamResponse:
        """Refuse the request where it is not answered yet; else let the client see that the answer is not whole."""
        if self._response is None:
            raise error
        if self._call.pushes:
            with suppress(ConnectionError):
                await self._response.write(_fatal(error))
        elif self._request.transport:
            self._request.transport.abort()
        return self._response


def _fatal(error: web.HTTPException) -> bytes:
    """Return a packet that ends a push, with words for the person (gitprotocol-pack(5), side-band)."""
    told = _FATAL_BAND + f"iluvatar-pxe: {error.text}\n".encode()
    return f"{len(told) + 4:04x}".encode() + told
