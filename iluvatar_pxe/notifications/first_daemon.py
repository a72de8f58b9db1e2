"""Which daemon of a fleet tells what all of them know: the first that is up, by name."""

import asyncio
import os
import time
from collections.abc import Callable, Collection

from iluvatar_pxe.host.resolving import address_of

_SECONDS = 3.0
"""Until a daemon counts as off."""
_MOST = 8
"""Daemons that are asked."""
_FRESH_SECONDS = 60.0
"""For how long an answer holds."""


class FirstDaemon:
    """Asks those that come before this one. Two whose network is parted both tell: that is better than neither."""

    def __init__(
        self, daemons: Callable[[], Collection[str]], domain: Callable[[], str], port: int, own: str = ""
    ) -> None:
        """``daemons`` are the host names of all, which serve HTTP at ``port``; ``own`` is this host's."""
        self._daemons = daemons
        self._domain = domain
        self._port = port
        self._own = own or os.uname().nodename
        self._is_this: tuple[bool, float] | None = None
        """What was found out, and until when that holds."""

    async def is_this(self) -> bool:
        """Say whether no daemon that comes before this one is up."""
        if self._is_this is None or time.monotonic() >= self._is_this[1]:
            earlier = [name for name in sorted(self._daemons()) if name < self._own]
            are_up = await asyncio.gather(*(self._is_up(name) for name in earlier[:_MOST]))
            self._is_this = not any(are_up), time.monotonic() + _FRESH_SECONDS
        return self._is_this[0]

    async def _is_up(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_SECONDS):
                return await _answers(await address_of(name, self._domain()), self._port)
        except OSError:
            return False


async def _answers(address: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    except ValueError:  # a line without end
        return False
    finally:
        writer.close()
