"""Wanted boot files as a fetcher tells of them, and a desk that carries commands out on a small directory."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from iluvatar_pxe.assets.status import AssetStatus, Leftover
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


@dataclass
class SmallDesk:
    """Does at once, in a directory, what a fetcher does with downloads that have a pinned checksum."""

    directory: Path
    publisher: dict[str, bytes]
    """What it offers, by the names of the downloads."""
    wants: dict[str, AssetStatus] = field(default_factory=dict)
    unwanted: list[Leftover] = field(default_factory=list)
    stable: tuple[str, ...] = ()
    """Entries whose version is not chosen yet."""
    slow: set[str] = field(default_factory=set)
    """What is not fetched at once: a test says how far it is."""

    async def begun(self) -> None:
        """It can do so from the beginning."""

    def files(self) -> Sequence[AssetStatus]:
        return [one for _, one in sorted(self.wants.items())]

    def unresolved(self) -> Sequence[str]:
        return self.stable

    def fetch(self, names: Collection[str]) -> None:
        for name in set(names) - self.slow:
            if name in self.publisher:
                self._put(name, self.publisher[name])
            else:
                self.fail(name, f"{SITE}: no route to host")

    def fail(self, name: str, trouble: str) -> None:
        """Tell that a file could not be fetched."""
        waiting = replace(self.wants[name].progress, state=State.WAITING, trouble=trouble)
        self.wants[name] = replace(self.wants[name], progress=waiting, failures=1)

    def verify(self, names: Collection[str]) -> None:
        for name in names:
            fault = self._fault(name, (self.directory / name).read_bytes())
            self._set(name, self.wants[name].progress, fault=fault)
            if fault:
                self.fetch([name])

    def take(self, name: str, file: Path, *, trust: bool) -> None:
        if isinstance(self.wants[name].download.check, FirstUse) and not trust:
            fault = f"{name}: no checksum of it is known; add --trust to pin this one"
        else:
            fault = self._fault(name, file.read_bytes())
        self._set(name, self.wants[name].progress, fault=fault)
        if not fault:
            self._put(name, file.read_bytes())
        file.unlink()

    async def leftovers(self) -> Sequence[Leftover]:
        return self.unwanted

    async def remove(self, names: Collection[str]) -> None:
        self.unwanted = [one for one in self.unwanted if one.name not in names]

    def _fault(self, name: str, data: bytes) -> str:
        check = self.wants[name].download.check
        fits = not isinstance(check, Digest) or hashlib.sha256(data).hexdigest() == check.value
        return "" if fits else f"{name}: its sha256 is not the pinned one"

    def _put(self, name: str, data: bytes) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._set(name, Progress(state=State.READY, done=len(data), size=len(data)), checked_at=CHECKED)

    def _set(
        self, name: str, progress: Progress, fault: str | None = None, checked_at: datetime | None = None
    ) -> None:
        """Without a ``fault`` and ``checked_at``, those are as before."""
        before = self.wants[name]
        self.wants[name] = replace(
            before,
            progress=progress,
            fault=before.fault if fault is None else fault,
            checked_at=checked_at or before.checked_at,
        )
