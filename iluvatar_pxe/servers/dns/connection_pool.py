"""How many TCP connections DNS clients may hold: a new one is always let in, and a quiet one makes room."""

from collections import Counter, OrderedDict
from typing import Protocol

MOST_CONNECTIONS, MOST_OF_CLIENT = 150, 50
"""One more ends the connection that has been quiet for the longest (of the same client, in the second case)."""


class Abortable(Protocol):
    """A connection."""

    def abort(self) -> None:
        """End at once, and leave the pool."""


class ConnectionPool:
    """All connections, the one that has been quiet for the longest first."""

    def __init__(self) -> None:
        self._inside: OrderedDict[Abortable, str] = OrderedDict()
        self._of_client: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._inside)

    def enter(self, connection: Abortable, client: str) -> None:
        """Let a connection in; another has to make room where there are too many."""
        self._inside[connection] = client
        self._of_client[client] += 1
        if self._of_client[client] > MOST_OF_CLIENT:
            next(one for one, whose in self._inside.items() if whose == client).abort()
        elif len(self._inside) > MOST_CONNECTIONS:
            next(iter(self._inside)).abort()

    def heard(self, connection: Abortable) -> None:
        """Take note that a connection is in use."""
        if connection in self._inside:
            self._inside.move_to_end(connection)

    def leave(self, connection: Abortable) -> None:
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
