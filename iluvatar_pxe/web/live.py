"""Pages that change while they are looked at: the parts of a page that differ are sent, each as it would be rendered anew.

A view is one page with its filter, or one machine. However many look at it, it is looked at once after a change.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import IluvatarError
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.web.streams import Streams, sse

PERIOD = 0.25
"""Seconds from one look to the next, at least."""
_SHARE = 5.0
"""How many times longer than a look took it is waited after it, so that looking takes no more than a sixth of the time."""
_IDLE = 15.0
"""Seconds after which a page is looked at although nothing was told: what only gets older leaves it, too."""
_PIECE = 16 << 10
_DIGEST = re.compile(r"[0-9a-f]{8}")


class Fragment(Struct, frozen=True):
    """A part of a page. It is sent anew when ``data`` differs; ``html`` renders it, with ``name`` as its ``sse-swap``."""

    name: str
    data: object
    html: Callable[[], str]

    @property
    def digest(self) -> str:
        """Stands for its data in a page's address, by which a stream knows what the page has already."""
        text = repr((self.name, self.data)).encode("utf-8", "surrogatepass")
        return hashlib.blake2s(text, digest_size=4).hexdigest()


class View(Protocol):
    """A page, as far as it is live."""

    async def fragments(self) -> Sequence[Fragment]:
        """Return its parts as they are now, those that hold others first; raises IluvatarError where it cannot tell."""
        ...


@dataclass(slots=True)
class _Seen:
    """A view with what was seen of it last, for all that look at it."""

    view: View
    watchers: int = 0
    version: int = 0
    parts: dict[str, tuple[str, int, Fragment]] = field(default_factory=dict)
    """By name, the digest, the version in which it changed, and the part itself."""
    rendered: dict[str, str] = field(default_factory=dict)

    async def look(self) -> bool:
        """Look again; say whether anything differs."""
        found = {one.name: (one.digest, one) for one in await self.view.fragments()}
        differ = [name for name, (digest, _) in found.items() if self.parts.get(name, ("", 0))[0] != digest]
        self.version += bool(differ)
        self.rendered.clear()
        self.parts = {
            name: (digest, self.version if name in differ else self.parts[name][1], one)
            for name, (digest, one) in found.items()
        }
        return bool(differ)

    def html(self, fragment: Fragment) -> str:
        """Return a part as a message of a stream, rendered once for all that get it now, whoever they are."""
        if fragment.name not in self.rendered:
            self.rendered[fragment.name] = sse(fragment.html(), kind=fragment.name, mark=str(self.version))
        return self.rendered[fragment.name]


class _Feed:
    """What one stream has not sent yet; ``have`` are the digests of what its page shows."""

    def __init__(self, seen: _Seen, have: Collection[str]) -> None:
        self._seen = seen
        self._version = seen.version
        self._due = [part for digest, _, part in seen.parts.values() if digest not in have]

    def __call__(self) -> str:
        if self._version < self._seen.version:
            names = {one.name for one in self._due}
            self._due = [
                part
                for name, (_, version, part) in self._seen.parts.items()
                if version > self._version or name in names
            ]
            self._version = self._seen.version
        text = ""
        while self._due and len(text) < _PIECE:
            text += self._seen.html(self._due.pop(0))
        return text


class Live:
    """All views that somebody looks at. Belongs to one event loop."""

    def __init__(self, *signals: Changed) -> None:
        """``signals`` are told when a view may have changed."""
        self.changed = Changed()
        """Told when there is something to send."""
        self._signals = signals
        self._views: dict[str, _Seen] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._views)

    async def run(self) -> None:
        """Look after each change, and from time to time, until cancelled."""
        clock = asyncio.get_running_loop().time
        with Subscription(*self._signals) as news:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE):
                        await news.wait()
                began = clock()
                if await self._look():
                    self.changed.tell()
                await asyncio.sleep(max(PERIOD, (clock() - began) * _SHARE))

    async def send(self, request: web.Request, streams: Streams, name: str, view: View) -> web.StreamResponse:
        """Send what changes of a view until the client hangs up; ``name`` tells views apart.

        The page's address says what it shows. When a browser comes back, that is not true any more.
        """
        came_back = "Last-Event-ID" in request.headers
        have = frozenset() if came_back else frozenset(_DIGEST.findall(request.query.get("have", "")))
        with self._watched(name, view) as seen:
            if not seen.parts:
                with suppress(IluvatarError):
                    await seen.look()
            return await streams.send(request, _Feed(seen, have))

    @contextmanager
    def _watched(self, name: str, view: View) -> Iterator[_Seen]:
        seen = self._views.setdefault(name, _Seen(view))
        seen.watchers += 1
        try:
            yield seen
        finally:
            seen.watchers -= 1
            if not seen.watchers:
                del self._views[name]

    async def _look(self) -> bool:
        differs = False
        for seen in list(self._views.values()):
            try:
                differs |= await seen.look()
            except IluvatarError as error:
                complain("page.not-live", why=str(error))
        return differs


def have(fragments: Sequence[Fragment]) -> str:
    """Return what a page shows, for the address of its stream."""
    return "".join(one.digest for one in fragments)
