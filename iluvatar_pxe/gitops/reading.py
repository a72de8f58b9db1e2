"""The fleet for commands that do not ask the daemon: the applied commit, or the newest."""

import asyncio
from pathlib import Path

from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.gitops.kept import last_applied
from iluvatar_pxe.gitops.prepare import repository_of
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision
from iluvatar_pxe.resources import data_directory
from iluvatar_pxe.settings.model import HOSTED, Settings


async def fleet_in_force(settings: Settings) -> Fleet:
    """Return the fleet that the daemon has applied, or will apply on its first start; raises FleetError and RepositoryError."""
    repository = repository_of(settings)
    if repository is None:
        return read_fleet(settings.fleet_directory)
    if settings.fleet.source == HOSTED and not repository.path.exists():
        return read_fleet(data_directory("boot_assets") / "fleet")
    return (await revision_in_force(repository)).fleet


async def revision_in_force(repository: Repository) -> Revision:
    """Return the applied commit, else the newest; raises FleetError and RepositoryError."""
    if last := await last_applied(repository):
        return last
    commit = await repository.tip()
    if commit is None:
        raise RepositoryError(
            f"{repository.path}: has no fleet yet; start the daemon, or: iluvatar-pxe fleet init"
        )
    return await read_revision(repository, commit)


async def fleet_at(repository: Repository | None, revision: str) -> Fleet:
    """Return the fleet of a commit, or of a directory; raises FleetError and RepositoryError."""
    if repository is None or await asyncio.to_thread(Path(revision).is_dir):
        return await asyncio.to_thread(read_fleet, Path(revision))
    commit = await repository.resolve(revision)
    if commit is None:
        raise RepositoryError(
            f"{revision}: no commit of {repository.path}, and no directory; push it to a branch there"
        )
    try:
        return (await read_revision(repository, commit)).fleet
    except FleetError as error:
        raise FleetError([f"{revision}:{finding}" for finding in error.findings]) from error
