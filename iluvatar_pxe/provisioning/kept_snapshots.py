"""The snapshots of k3s clusters' etcd that this host keeps, opened for a server that restores one, and how that gets it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, unseal
from iluvatar_pxe.layers.etcd.snapshots import name_of
from iluvatar_pxe.provisioning.snapshot_store import SnapshotStore
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.tls.authority import CERTIFICATE


class KeptSnapshots(Struct, frozen=True):
    """Those below ``directory``."""

    directory: Path
    key: Path
    """The file with this host's own age key."""
    authority: Path | None
    """The file with the CA of this host's HTTPS; None where the system of a node knows it."""
    port: int
    """Of this host's HTTPS: what a snapshot holds is secret."""

    @classmethod
    def of(cls, settings: Settings) -> "KeptSnapshots":
        """Return those of a host."""
        state, http = settings.state_directory, settings.http
        authority = None if http.tls_certificate else state / "tls" / CERTIFICATE
        return cls(state / "snapshots", state / KEY_FILE, authority, http.tls_port)

    async def taken(self, layer: str) -> list[datetime]:
        """Return when those of a layer were taken, oldest first; raises OperationError."""
        return [one.taken for one in await asyncio.to_thread(SnapshotStore(self.directory).kept, layer)]

    async def opened(self, layer: str, taken: datetime) -> bytes:
        """Return what one holds; raises OperationError and SealError."""
        return await asyncio.to_thread(self._open, self.directory / layer / name_of(taken))

    def _open(self, file: Path) -> bytes:
        try:
            return unseal(file.name, file.read_bytes(), [daemon_key(self.key)])
        except OSError as error:
            raise OperationError(f"{file}: cannot be read: {error.strerror}; restore it") from error

    async def way(self) -> Mapping[str, Any]:
        """Return how a node gets one from this host; raises OperationError."""
        try:
            authority = await asyncio.to_thread(self.authority.read_text) if self.authority else ""
        except OSError as error:
            raise OperationError(
                f"{self.authority}: cannot be read: {error.strerror}; restart the daemon"
            ) from error
        return {"authority": authority, "port": self.port}
