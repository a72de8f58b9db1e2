"""Which leaders of clusters are alive: their API servers are asked all the time."""

import asyncio
from collections.abc import Callable, Collection
from ipaddress import IPv4Address

import aiohttp

from iluvatar_pxe.changed import Changed
from iluvatar_pxe.dns.fleet_zones import API_PORT

INTERVAL = 0.3
"""Seconds between two questions to one leader."""
PATIENCE = 0.5
"""Seconds for which an answer is waited for; with the interval, a death is known within a second."""
_SERVING = range(500)
"""HTTP status of a server that works: Talos and k3s let nobody unknown see their health, and say so (401)."""


class ApiProbe:
    """Asks ``/readyz`` of each leader by HTTPS on a connection that stays open.

    Certificates are not verified: what is wanted is whether it answers, and nothing secret is sent.
    """

    def __init__(self) -> None:
        self.alive: frozenset[IPv4Address] = frozenset()
        self.changed = Changed()
        """Told when others are alive than before."""

    async def run(self, leaders: Callable[[], Collection[IPv4Address]]) -> None:
        """Ask until cancelled; ``leaders`` returns the addresses of those there are now."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        connector = aiohttp.TCPConnector(ssl=False, limit_per_host=1)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                asked = sorted(leaders())
                answers = await asyncio.gather(*(_answers(session, one) for one in asked))
                alive = frozenset(one for one, answered in zip(asked, answers, strict=True) if answered)
                if alive != self.alive:
                    self.alive = alive
                    self.changed.tell()
                await asyncio.sleep(INTERVAL)


async def _answers(session: aiohttp.ClientSession, leader: IPv4Address) -> bool:
    try:
        async with session.get(f"https://{leader}:{API_PORT}/readyz") as response:
            return response.status in _SERVING
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
