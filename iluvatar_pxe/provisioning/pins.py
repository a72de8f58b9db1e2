"""Keeps the checksums of first downloads, and what ``stable`` means: in the fleet's repository, or on this host alone."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from pydantic import ValidationError

from iluvatar_pxe.catalogue.lock import AssetsLock, Pin
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import AssetError, RepositoryError
from iluvatar_pxe.gitops.changes.pinning import pin, with_pins
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.host.durable import move_aside, write_file
from iluvatar_pxe.host.threads import to_the_end
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.applied import Applied

OWN_LOCK = "assets.lock.json"
"""In the state directory, where there is no repository that may be written."""
RETRY_SECONDS = 60.0
"""Until the repository is asked again that could not be written."""

_log = structlog.get_logger()


class PinKeeper(Protocol):
    """Where pins are kept."""

    @property
    def lock(self) -> AssetsLock:
        """All that is pinned."""
        ...

    async def add(self, files: Mapping[str, Pin], stable: Mapping[str, str]) -> None:
        """Keep more; what is pinned already stays. Raises RepositoryError."""
        ...


class FleetPins:
    """The fleet's: every daemon goes by them once it has applied the commit, this one among them."""

    def __init__(self, applied: Applied, commit: Callable[[Draw], Awaitable[Revision]]) -> None:
        self._applied = applied
        self._commit = commit

    @property
    def lock(self) -> AssetsLock:
        return self._applied.fleet.lock

    async def add(self, files: Mapping[str, Pin], stable: Mapping[str, str]) -> None:
        """Commit them."""
        await self._commit(lambda newest: pin(newest.fleet.lock, files, stable))


class OwnPins:
    """This daemon's: there is no repository, or none that may be written. What the fleet pins comes first.

    Put together only when one of them has changed: what is coming depends on it, which every decision asks for.
    """

    def __init__(self, applied: Applied, state: Path) -> None:
        self._applied = applied
        self._path = state / OWN_LOCK
        self._own = _read(self._path)
        self._seen: tuple[AssetsLock, AssetsLock] | None = None
        self._both = AssetsLock()

    @property
    def lock(self) -> AssetsLock:
        fleet = self._applied.fleet.lock
        if self._seen is None or self._seen[0] is not fleet or self._seen[1] is not self._own:
            self._both = AssetsLock(
                files={**self._own.files, **fleet.files}, versions={**self._own.versions, **fleet.versions}
            )
            self._seen = fleet, self._own
        return self._both

    async def add(self, files: Mapping[str, Pin], stable: Mapping[str, str]) -> None:
        """Write them down; what cannot be written is not kept here either."""
        own = with_pins(self._own, files, stable)
        try:
            await to_the_end(self._write, own)
        except OSError as error:
            raise RepositoryError(
                f"{self._path}: cannot be written: {error.strerror}; make it writable"
            ) from error

    def _write(self, own: AssetsLock) -> None:
        write_file(self._path, own.model_dump_json(indent=1).encode())
        self._own = own


@dataclass(slots=True)
class _Pending:
    """What is not kept yet."""

    files: dict[str, Pin] = field(default_factory=dict)
    stable: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.files or self.stable)


class Pins:
    """Brings pins to their keeper: several in one commit, and again until it took them."""

    def __init__(self, keeper: PinKeeper) -> None:
        self._keeper = keeper
        self._pending = _Pending()
        self._adding = asyncio.Lock()
        self._late = asyncio.Event()
        self.changed = Changed()
        """Told when more is pinned."""
        self._problem = Problem(lambda why: _log.warning("assets.unpinned", why=why))

    @property
    def lock(self) -> AssetsLock:
        """All that is pinned, also what could not be committed yet."""
        lock = self._keeper.lock
        return with_pins(lock, self._pending.files, self._pending.stable) if self._pending else lock

    async def pin(self, name: str, sha256: str, size: int) -> None:
        """Pin the checksum of a download that is in place; raises AssetError if another one is pinned.

        A repository that cannot be reached is asked again later: the file is served meanwhile.
        """
        self.check(name, sha256)
        self._pending.files[name] = Pin(sha256=sha256, size=size)
        await self._add()
        self.check(name, sha256)

    def remember(self, name: str, sha256: str, size: int) -> None:
        """Pin the checksum of a file that was downloaded before, as soon as that can be done."""
        self._pending.files[name] = Pin(sha256=sha256, size=size)
        self._late.set()

    def keeps(self, name: str, sha256: str) -> bool:
        """Say whether this checksum of a download was pinned, and that is known to all."""
        pinned = self._keeper.lock.files.get(name)
        return pinned is not None and pinned.sha256 == sha256

    async def choose(self, stable: Mapping[str, str]) -> None:
        """Pin what ``stable`` means, by entries of the catalogue."""
        self._pending.stable |= stable
        await self._add()

    async def run(self) -> None:
        """Try again what failed, until cancelled."""
        while True:
            await self._late.wait()
            await self._add()
            if self._late.is_set():
                await asyncio.sleep(RETRY_SECONDS)

    async def _add(self) -> None:
        """Have what is pending kept; what comes meanwhile goes together in the next commit."""
        async with self._adding:
            files, stable = dict(self._pending.files), dict(self._pending.stable)
            if not files and not stable:
                self._late.clear()
                return
            try:
                await self._keeper.add(files, stable)
            except RepositoryError as error:
                self._problem.set(f"checksums are not pinned yet: {error}")
                self._late.set()
                return
            for name in files:
                self._pending.files.pop(name, None)
            for entry in stable:
                self._pending.stable.pop(entry, None)
        self._problem.clear()
        self._late.clear()
        self.changed.tell()

    def check(self, name: str, sha256: str) -> None:
        """Raise AssetError if another checksum is pinned for a download."""
        pinned = self._keeper.lock.files.get(name)
        if pinned and pinned.sha256 != sha256:
            raise AssetError(
                f"{name}: has sha256 {sha256}, but {pinned.sha256} is pinned; "
                "if the publisher has replaced it, remove its line from assets.lock.yaml"
            )


def _read(path: Path) -> AssetsLock:
    """Read this host's own pins; blocks. What is damaged is moved aside: files are pinned again when they are fetched."""
    try:
        return AssetsLock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return AssetsLock()
    except OSError as error:
        raise RepositoryError(f"{path}: cannot be read: {error.strerror}; make it readable") from error
    except ValidationError:
        _log.error("assets.unpinned", why=f"{path}: is damaged, and was moved to {move_aside(path)}")
        return AssetsLock()
