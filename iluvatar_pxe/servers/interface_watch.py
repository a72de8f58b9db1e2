"""Notices when an interface that is served is no longer the one that sockets are bound to."""

import asyncio
import socket
from collections.abc import Sequence

import structlog

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.servers.interfaces import Interface, read_interface

_INTERVAL = 5.0
"""Seconds between two looks."""

_log = structlog.get_logger()


class InterfaceWatch:
    """``problem`` says which interface is gone, was made anew or has another address."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        self.problem: str | None = None
        self._bound = {one.name: (socket.if_nametoindex(one.name), one) for one in interfaces}

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL)
            self.look()

    def look(self) -> None:
        """Compare every interface with what it was; log a problem when it begins."""
        problem = next((text for name in self._bound if (text := self._difference(name))), None)
        if problem and problem != self.problem:
            _log.error("network", problem=problem)
        self.problem = problem

    def _difference(self, name: str) -> str | None:
        index, bound = self._bound[name]
        try:
            if socket.if_nametoindex(name) != index:
                return f"interface {name} was made anew; restart the daemon"
            address = read_interface(name).address
        except (OSError, ServerError):
            return f"interface {name} is gone, or has no IPv4 address; bring it up again"
        if address != bound.address:
            return f"interface {name} has the address {address}, not {bound.address}; restart the daemon"
        return None
