"""The fleet's repository on this host: made where it is not there yet, with a first commit where it is hosted."""

import asyncio
import shutil
from pathlib import Path

import structlog

from iluvatar_pxe.errors import LostRaceError
from iluvatar_pxe.gitops.changes.starter import directory_files, starter_files
from iluvatar_pxe.gitops.directory import read_fleet
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

    Raises RepositoryError, and FleetError where a plain directory of an earlier version cannot be taken over.
    """
    path = settings.fleet_repository
    if path is None:
        return None
    if settings.fleet.source == HOSTED:
        repository = await host(path, settings.fleet.branch, checked=True, max_push=settings.git.max_push)
        await plant(repository, settings.fleet_directory)
        return HostedOrigin(repository)
    await _drop_damaged(path)
    repository = await host(path, settings.fleet.branch, checked=False, max_push=settings.git.max_push)
    remote = Remote.of(settings.fleet.source, settings.fleet, settings.state_directory)
    return FollowedOrigin(repository, remote, settings.fleet.poll, read_only=settings.fleet.read_only)


async def _drop_damaged(path: Path) -> None:
    """Remove a copy of a repository elsewhere that git finds fault with: it is fetched again."""
    if not await asyncio.to_thread(path.exists):
        return
    status, _, complaint = await Git(path).attempt("fsck", "--no-dangling", "--no-progress")
    if status:
        _log.warning(
            "fleet.damaged", copy=str(path), why=last_line(complaint, status), now="it is fetched again"
        )
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)


async def plant(repository: Repository, directory: Path) -> bool:
    """Make the first commit, unless there is one: of ``directory``, where that has a fleet, else of the starter.

    That directory is moved aside then, since nobody reads it any more. Raises FleetError and RepositoryError.
    """
    if await repository.tip():
        return False
    files = await asyncio.to_thread(_files_of, directory)
    changes = Changes(
        f"The fleet of {directory}\n" if files else "A fleet to begin with\n", starter_files() | files
    )
    draft = await repository.draft(None, changes)
    try:
        await repository.advance(None, draft)
    except LostRaceError:
        return False
    if files:
        await asyncio.to_thread(_move_aside, directory)
    return True


def _files_of(directory: Path) -> dict[str, bytes]:
    """Return a plain fleet's files, none where there is none; a faulty one is told of while it still lies in its place."""
    if not directory.is_dir():
        return {}
    read_fleet(directory)
    return directory_files(directory)


def _move_aside(directory: Path) -> None:
    kept = directory.with_name(f"{directory.name}.before-git")
    try:
        directory.rename(kept)
    except OSError as error:
        _log.warning("fleet.left", directory=str(directory), why=error.strerror)
    else:
        _log.info("fleet.taken-over", now="it is in Git", kept=str(kept))
