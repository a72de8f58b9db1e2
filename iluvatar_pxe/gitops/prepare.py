"""Creates the fleet's repository on this host where it is missing, with a first commit if it is hosted here."""

import asyncio
import shutil
from pathlib import Path

import structlog

from iluvatar_pxe.errors import LostRaceError, RepositoryError
from iluvatar_pxe.gitops.changes.starter import starter_files
from iluvatar_pxe.gitops.kept import SUFFIX, KeptFile
from iluvatar_pxe.gitops.origin import FollowedOrigin, HostedOrigin, Origin
from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.git import Git, last_line
from iluvatar_pxe.gitops.repository.hosting import host
from iluvatar_pxe.gitops.repository.mending import mend_refs
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.settings.model import HOSTED, Settings

_log = structlog.get_logger()


def repository_of(settings: Settings) -> Repository | None:
    """Return the repository that the fleet is read from, whether it is there or not; None for a plain directory."""
    path = settings.fleet_repository
    return Repository(Git(path), settings.fleet.branch) if path else None


def kept_of(settings: Settings) -> KeptFile:
    """Return the file in which the fleet that was applied last is kept."""
    repository = repository_of(settings)
    if repository:
        return KeptFile.of(repository)
    return KeptFile(settings.state_directory / f"fleet{SUFFIX}", settings.fleet.source)


async def prepare(settings: Settings) -> Origin | None:
    """Return the origin of the fleet's repository; None where the fleet is a plain directory.

    Raises RepositoryError, and FleetError where the installation is damaged.
    """
    path = settings.fleet_repository
    if path is None:
        return None
    if settings.fleet.source == HOSTED:
        return HostedOrigin(await _hosted(path, settings), _mirror(settings))
    await _drop_damaged(path)
    repository = await _ready(path, settings, checked=False)
    remote = Remote.of(settings.fleet.source, settings.fleet, settings.state_directory)
    return FollowedOrigin(repository, remote, settings.fleet.poll, read_only=settings.fleet.read_only)


def _mirror(settings: Settings) -> Remote | None:
    url = settings.fleet.mirror
    return Remote.of(url, settings.fleet, settings.state_directory) if url else None


async def _hosted(path: Path, settings: Settings) -> Repository:
    """Return the hosted repository, with a first commit only where no fleet was ever applied."""
    repository = await _ready(path, settings, checked=True)
    last = await asyncio.to_thread(KeptFile.of(repository).last)
    try:
        await mend_refs(repository, last)
        if not last and not await asyncio.to_thread(repository.was_used):
            await plant(repository)
    except (OSError, RepositoryError) as error:
        _report(path, error)
    return repository


async def _ready(path: Path, settings: Settings, *, checked: bool) -> Repository:
    """Make or configure the repository; raises RepositoryError only where there is none, and none can be made."""
    try:
        return await host(
            path,
            settings.fleet.branch,
            checked=checked,
            max_push=settings.git.max_push,
            ask_factory=settings.assets.fetch,
        )
    except RepositoryError as error:
        if not await asyncio.to_thread(path.exists):
            raise
        _report(path, error)
        return Repository(Git(path), settings.fleet.branch)


def _report(path: Path, error: Exception) -> None:
    _log.error("fleet.damaged", repository=str(path), why=str(error), now="what was applied last is served")


async def _drop_damaged(path: Path) -> None:
    """Remove a damaged local copy of a remote repository: it is fetched again."""
    if not await asyncio.to_thread(path.exists):
        return
    status, _, complaint = await Git(path).attempt("fsck", "--no-dangling", "--no-progress")
    if status:
        _log.warning(
            "fleet.damaged", copy=str(path), why=last_line(complaint, status), now="it is fetched again"
        )
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


async def plant(repository: Repository) -> bool:
    """Make the first commit, of the starter fleet, unless there is one; raises FleetError and RepositoryError."""
    if await repository.tip():
        return False
    draft = await repository.draft(None, Changes("Starter fleet\n", starter_files()))
    try:
        await repository.advance(None, draft)
    except LostRaceError:
        return False
    return True
