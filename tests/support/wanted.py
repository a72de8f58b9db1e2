"""Wanted boot files as a fetcher tells of them."""

import hashlib
from datetime import UTC, datetime

from iluvatar_pxe.assets.status import AssetStatus
from iluvatar_pxe.catalogue.download import Check, Digest, Download, FirstUse
from iluvatar_pxe.catalogue.progress import Progress, State

CHECKED = datetime(2026, 11, 29, 15, tzinfo=UTC)
SITE = "https://factory.example"


def pinned(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def wanted(name: str, check: Check | None = None, **progress: object) -> AssetStatus:
    """Return a wanted file; ``progress`` are the fields of its Progress."""
    values = {"state": State.MISSING} | progress
    download = Download(
        name=name,
        version="v1",
        urls=(f"{SITE}/{name}",),
        check=check or FirstUse(),
        wanted_by=("layers/arda.yaml",),
    )
    return AssetStatus(download=download, progress=Progress(**values))  # type: ignore[arg-type]
