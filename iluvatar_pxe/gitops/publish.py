"""Commits made by a command, while the daemon may commit as well."""

from iluvatar_pxe.gitops.compare_and_swap import Draw, compare_and_swap
from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision


async def publish(origin: Origin, draw: Draw, known: Revision | None = None) -> Revision:
    """Commit what ``draw`` makes of the newest commit, and return the commit that it was made of.

    ``draw`` is called again for each race that is lost; what the commit has in common with a ``known`` one is not read
    again. Raises RepositoryError, FleetError, and what ``draw`` raises.
    """
    repository = origin.repository

    async def read(_lost: int) -> Revision:
        newest = await origin.newest()
        return (
            known if known and known.commit.id == newest else await read_revision(repository, newest, known)
        )

    async def push(base: Revision, changes: Changes) -> Revision:
        await origin.push(base.commit.id, await repository.draft(base.commit.id, changes))
        return base

    return await compare_and_swap(repository.path, read, draw, push)
