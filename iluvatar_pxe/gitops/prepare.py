"""Creates the fleet's repository on this host where it is missing, with a first commit if it is hosted here."""

import asyncio
import shutil
from pathlib import Path

import structlog

from iluvatar_pxe.errors import LostRaceError
from iluvatar_pxe.gitops.changes.starter import starter_files
from iluvatar_pxe.gitops.origin import FollowedOrigin, HostedOrigin, Origin
from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.git import Git, last_line
from iluvatar_pxe.gitops.repository.hosting import host
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.settings.model import HOSTED, Settings

_log = structlog.get_logger()


def repository_of(settings: Settings) -> Repository | None:
    """Return the repository that the fleet is read from, whether it is there or not; None for a plain directory."""
    path = settings.fleet_repository
    return Repository(Git(path), settings.fleet.branch) if path else None


async def prepare(settings: Settings) -> Origin | None:
    """Return the origin of the fleet's repository; None where the fleet is a plain directory.

    Raises RepositoryError, and FleetError where the installation is damaged.
    """
    path = settings.fleet_repository
    if path is None:
        return None
    if settings.fleet.source == HOSTED:
        repository = await host(path, settings.fleet.branch, checked=True, max_push=settings.git.max_push)
        await plant(repository)
        return HostedOrigin(repository)
    await _drop_damaged(path)
    repository = await host(path, settings.fleet.branch, checked=False, max_push=settings.git.max_push)
    remote = Remote.of(settings.fleet.source, settings.fleet, settings.state_directory)
    return FollowedOrigin(repository, remote, settings.fleet.poll, read_only=settings.fleet.read_only)


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
