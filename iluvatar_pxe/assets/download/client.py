"""Asks publishers by HTTP. Proxies are those of the environment: http_proxy, https_proxy, no_proxy; and ~/.netrc."""

import asyncio
import copy
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from importlib.metadata import version
from typing import Self

import aiohttp
from msgspec import Struct, field
from yarl import URL

from iluvatar_pxe.assets.download.bucket import TokenBucket
from iluvatar_pxe.assets.download.faults import of_status, silent, told, trickles, words_of
from iluvatar_pxe.assets.download.framing import encoding_fault
from iluvatar_pxe.assets.download.guard import Guard
from iluvatar_pxe.assets.download.patience import BUILDING, ONE_OF_SEVERAL, USUAL, Pauses
from iluvatar_pxe.assets.download.route import IsOwn, next_address, parse_address
from iluvatar_pxe.assets.download.speed import Pace
from iluvatar_pxe.assets.space import Room
from iluvatar_pxe.errors import DownloadError
from iluvatar_pxe.host.own_address import is_own

_REDIRECTS = {301, 302, 303, 307, 308}
_LONGEST_REFUSAL = 4096
_BUFFER = 64 * 1024
"""Twice as much is read ahead, and lost where a publisher hangs up."""
_LEAST_PIECE = 4096
"""Bytes that must come before a publisher counts as stalled."""


class Timing(Struct, frozen=True, kw_only=True):
    """Seconds; ``built`` is how long the image factory has for its first byte before it is asked again.

    A publisher that sends fewer than ``least_rate`` bytes per second for ``slow`` seconds counts as stalled.
    """

    connect: float = 30.0
    first_byte: float = 60.0
    built: float = 300.0
    stall: float = 30.0
    slow: float = 120.0
    least_rate: int = 1000
    usual: Pauses = USUAL
    one_of_several: Pauses = ONE_OF_SEVERAL
    building: Pauses = BUILDING


class Ask(Struct, frozen=True, kw_only=True):
    """One request: ``what`` is named in errors; ``builds``: the first byte may take minutes; ``accept``: good statuses."""

    what: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    builds: bool = False
    accept: frozenset[int] = frozenset({200})


class Answer(Struct, frozen=True):
    """An accepted answer, whose body is still to come from ``url``."""

    ask: Ask
    url: URL
    response: aiohttp.ClientResponse


class Downloader:
    """What all downloads share: the rate limit, the room on the disk, the certificates that are trusted, and the timing."""

    def __init__(
        self, *, rate: int | None = None, timing: Timing | None = None, is_own: IsOwn = is_own
    ) -> None:
        """``rate``: bytes per second of all downloads together, None for no limit."""
        self.timing = timing or Timing()
        self._bucket = TokenBucket(rate) if rate else None
        self.room = Room()
        self._is_own = is_own
        self.is_direct = False
        """Nothing but the address itself is asked: no proxy, and nothing that it redirects to."""

    def direct(self, timing: Timing) -> Self:
        """Return what asks the fleet's other daemons: in the same room on the disk, but the rate limit is not for them."""
        other = copy.copy(self)
        other.timing, other.is_direct = timing, True
        return other

    @asynccontextmanager
    async def open(self, ask: Ask) -> AsyncIterator[Answer]:
        """Ask, follow redirects, and give the answer; raises UnavailableError or DownloadError, also while it is read."""
        route = [parse_address(ask.what, ask.url)]
        guard = Guard(ask.what, route[0], self._is_own)
        with told(ask.what, route):
            async with self._session(guard, await self._trusting()) as session:
                response = await self._follow(session, guard, ask, route)
                try:
                    yield Answer(ask, route[-1], response)
                finally:
                    response.close()

    async def pieces(self, answer: Answer) -> AsyncIterator[bytes]:
        """Yield the body as it comes, within the rate limit; raises UnavailableError where it stalls or trickles."""
        loop, pace = asyncio.get_running_loop(), Pace(self.timing.least_rate, self.timing.slow)
        asked_at = loop.time()
        while piece := await self._piece(answer):
            if pace.is_slow(len(piece), loop.time() - asked_at):
                raise trickles(answer.ask.what, answer.url, self.timing.least_rate, self.timing.slow)
            yield piece
            if self._bucket and not self.is_direct:
                await asyncio.sleep(self._bucket.take(len(piece), loop.time()))
            asked_at = loop.time()

    async def read(self, ask: Ask, most: int) -> bytes:
        """Return a small answer of at most ``most`` bytes; raises UnavailableError or DownloadError."""
        body = bytearray()
        async with self.open(ask) as answer:
            if fault := encoding_fault(answer.response.headers):
                raise DownloadError(f"{ask.what}: {answer.url.host} {fault}")
            async for piece in self.pieces(answer):
                body += piece
                if len(body) > most:
                    raise DownloadError(
                        f"{ask.what}: {answer.url.host} sends more than {most} bytes; correct the address"
                    )
        return bytes(body)

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    async def _trusting(self) -> ssl.SSLContext:
        """Return what trusts the system's authorities: read when first needed, in a thread, for there are 140 of them."""
        return await asyncio.to_thread(lambda: self._trusted)

    def _session(self, guard: Guard, trusting: ssl.SSLContext) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, resolver=guard, ssl=trusting),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"iluvatar-pxe/{version('iluvatar-pxe')}", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.timing.connect),
            auto_decompress=False,
            read_bufsize=_BUFFER,
            trust_env=not self.is_direct,
        )

    async def _follow(
        self, session: aiohttp.ClientSession, guard: Guard, ask: Ask, route: list[URL]
    ) -> aiohttp.ClientResponse:
        """Return the answer at the end of the redirects, each of which is added to ``route``."""
        while True:
            response = await self._send(session, ask, route[-1])
            if response.status in ask.accept:
                return response
            async with response:
                if response.status not in _REDIRECTS or self.is_direct:
                    words = await self._words(response)
                    raise of_status(ask.what, route[-1], response, words, builds=ask.builds)
                route.append(next_address(ask.what, route, response.headers.get("Location", "")))
                guard.check(route[-1])

    async def _send(self, session: aiohttp.ClientSession, ask: Ask, url: URL) -> aiohttp.ClientResponse:
        seconds = self.timing.built if ask.builds else self.timing.first_byte
        try:
            async with asyncio.timeout(seconds):
                return await session.get(url, headers=ask.headers, allow_redirects=False)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ClientError):
                raise
            raise silent(ask.what, url, seconds, builds=ask.builds) from error

    async def _piece(self, answer: Answer) -> bytes:
        """Return what has come, at least some bytes so that a trickle counts as a stall; nothing at the end."""
        piece = b""
        try:
            async with asyncio.timeout(self.timing.stall):
                while len(piece) < _LEAST_PIECE and (more := await answer.response.content.readany()):
                    piece += more
        except TimeoutError as error:
            raise silent(answer.ask.what, answer.url, self.timing.stall) from error
        return piece

    async def _words(self, response: aiohttp.ClientResponse) -> str:
        """Return what a publisher says about its refusal."""
        try:
            async with asyncio.timeout(self.timing.stall):
                return words_of(await response.content.read(_LONGEST_REFUSAL))
        except TimeoutError:
            return ""
