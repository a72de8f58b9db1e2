"""Which leaders of clusters are alive: their API servers are asked while somebody wants to know."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address

import aiohttp

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.dns.fleet_zones import API_PORT

INTERVAL = 0.3
"""Seconds between two questions to one leader."""
PATIENCE = 0.5
"""Seconds for which an answer is waited for; with the interval, a death is known within a second."""
LINGER = 10.0
"""Seconds for which leaders are asked after somebody wanted to know: who keeps an answer for its TTL, 5 s, and asks again
need not wait."""
_FRESH = INTERVAL + PATIENCE + 0.2
"""Seconds for which it is known who is alive after all were asked: until they have been asked again."""
_SERVING = range(500)
"""HTTP status of a server that works: Talos and k3s let nobody unknown see their health, and say so (401)."""


class ApiProbe:
    """Asks ``/readyz`` of each leader by HTTPS on a connection that stays open.

    Certificates are not verified: what is wanted is whether it answers, and nothing secret is sent. Nor are redirects
    followed: whoever has a leader's address chooses nobody else to be asked.
    """

    def __init__(self) -> None:
        self.alive: frozenset[IPv4Address] = frozenset()
        self.changed = Changed()
        """Told when others are alive than before."""
        self._wanted = asyncio.Event()
        self._wanted_until = 0.0
        self._known_until = 0.0

    def want(self) -> bool:
        """Have leaders asked for a while; say whether ``alive`` is up to date."""
        now = time.monotonic()
        self._wanted_until = now + LINGER
        self._wanted.set()
        return now < self._known_until

    async def run(self, leaders: Callable[[], Collection[IPv4Address]], done: Callable[[], None]) -> None:
        """Ask while that is wanted, until cancelled.

        ``leaders`` returns the addresses of those there are now; ``done`` is called when all of them were asked.
        """
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        connector = aiohttp.TCPConnector(ssl=False, limit_per_host=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                await self._wanted.wait()
                await self._ask(session, sorted(leaders()))
                done()
                await asyncio.sleep(INTERVAL)
                if time.monotonic() >= self._wanted_until:
                    self._wanted.clear()

    async def _ask(self, session: aiohttp.ClientSession, leaders: Sequence[IPv4Address]) -> None:
        answers = await asyncio.gather(*(_answers(session, one) for one in leaders))
        alive = frozenset(one for one, answered in zip(leaders, answers, strict=True) if answered)
        self._known_until = time.monotonic() + _FRESH
        if alive != self.alive:
            self.alive = alive
            self.changed.tell()


async def _answers(session: aiohttp.ClientSession, leader: IPv4Address) -> bool:
    try:
        url = f"https://{leader}:{API_PORT}/readyz"
        async with session.get(url, allow_redirects=False) as response:
            return response.status in _SERVING
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
