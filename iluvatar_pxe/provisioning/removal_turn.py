"""Which daemon of a fleet takes machines out of a cluster: the one that holds a Lease in its Kubernetes."""

import os
import time
from uuid import uuid4

from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.kubernetes.client import REMOVAL, Lease, lease, take_lease


class RemovalTurn:
    """This daemon's part in it. One that renews its Lease no more is taken for dead, by one's own clock alone."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: for how long another daemon may hold it without a sign of life."""
        self.holder = f"{os.uname().nodename}-{uuid4().hex[:8]}"
        self._seconds = seconds
        self._seen: tuple[Lease | None, float] = (None, 0.0)
        """The Lease as it was, and since when it is so."""

    async def take(self, address: str, credentials: Credentials) -> bool:
        """Say whether it is this daemon's turn; then it stays so for some time. Raises KubernetesError."""
        found, now = await lease(address, credentials, REMOVAL), time.monotonic()
        if found != self._seen[0]:
            self._seen = found, now
        is_anothers = found is not None and found.holder != self.holder
        if is_anothers and now - self._seen[1] < self._seconds:
            return False
        return await take_lease(address, credentials, REMOVAL, self.holder, found)
