"""How many TCP connections clients may hold: a new one is always let in, and the longest silent one makes room."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Protocol

from iluvatar_pxe.ratelimit import complain

MacOf = Callable[[IPv4Address], str | None]
"""Looks an address up in the kernel's neighbour table."""


class Pooled(Protocol):
    """A connection."""

    @property
    def is_served(self) -> bool:
        """Say whether its client waits for the server, and not the server for its client."""
        ...

    def abort(self) -> None:
        """End at once, and leave the pool."""
        ...


class ConnectionPool:
    """All connections, the one that has been silent for the longest first."""

    def __init__(self, event: str, *, each: int, total: int) -> None:
        """``event`` is the line of log about a connection that made room; ``each`` is for one client, ``total`` for all."""
        self._event = event
        self._each = each
        self._total = total
        self._inside: OrderedDict[Pooled, str] = OrderedDict()
        self._of_client: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._inside)

    def enter(self, connection: Pooled, client: str) -> None:
        """Let a connection in; another one has to make room where there are too many, of this client or in all."""
        rivals = self._rivals(client)
        if rivals:
            ended = self._least_needed(rivals)
            complain(self._event, client=self._inside[ended])
            ended.abort()
        self._inside[connection] = client
        self._of_client[client] += 1

    def heard(self, connection: Pooled) -> None:
        """Take note that a connection is in use."""
        if connection in self._inside:
            self._inside.move_to_end(connection)

    def leave(self, connection: Pooled) -> None:
        """Take note that a connection has ended; may be called again."""
        client = self._inside.pop(connection, None)
        if client is not None:
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

    def disperse(self) -> None:
        """End all connections."""
        for connection in list(self._inside):
            connection.abort()

    def _rivals(self, client: str) -> list[Pooled]:
        """Return the connections one of which has to make room for a new one of ``client``; none where there is room."""
        if self._of_client[client] >= self._each:
            return [one for one, whose in self._inside.items() if whose == client]
        return list(self._inside) if len(self._inside) >= self._total else []

    def _least_needed(self, rivals: list[Pooled]) -> Pooled:
        """Return the longest silent one; where all are served, the oldest of the client that has the most."""
        silent = (one for one in rivals if not one.is_served)
        return next(silent, None) or max(rivals, key=lambda one: self._of_client[self._inside[one]])


def nic_at(address: str, mac_of: MacOf) -> str:
    """Return by what a client is counted: its NIC, which may have many addresses; its address where a router is between."""
    return mac_of(IPv4Address(address)) or address
