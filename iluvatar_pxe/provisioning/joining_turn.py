"""Which server joins a k3s cluster now: the one that holds a Lease there, so that two daemons let in no two at once."""

import time
from collections.abc import Collection

from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.client import JOINING, Lease, lease, take_lease

_ANOTHER = "another server"


class JoiningTurn:
    """This daemon's view of it. The time that a server takes is told by one's own clock alone."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: after which a server that is still not ready keeps others no longer."""
        self._seconds = seconds
        self._seen: tuple[Lease | None, float] = (None, 0.0)
        """The Lease as it was, and since when it is so."""

    async def of_another(
        self, address: str, credentials: Credentials, name: str, ready: Collection[str]
    ) -> str:
        """Give a server its turn, or return whose turn it is; ``ready`` have had theirs. Raises KubernetesError."""
        found, now = await lease(address, credentials, JOINING), time.monotonic()
        if found != self._seen[0]:
            self._seen = found, now
        holder = found.holder if found else ""
        is_over = holder in {"", name, *ready} or now - self._seen[1] >= self._seconds
        if is_over and await take_lease(address, credentials, JOINING, name, found):
            return ""
        return _ANOTHER if is_over else holder
