"""A commit by a command, beside a daemon that may commit, too."""

import asyncio
import random

from iluvatar_pxe.errors import LostRaceError
from iluvatar_pxe.gitops.follower import MOST_TRIES, Draw
from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.gitops.repository.revision import Revision, read_revision


async def publish(origin: Origin, draw: Draw) -> Revision:
    """Commit what ``draw`` makes of the newest commit, and return the commit that it was made of.

    ``draw`` is called again for each race that is lost. Raises RepositoryError, FleetError, and what ``draw`` raises.
    """
    for _ in range(MOST_TRIES):
        newest = await origin.newest()
        revision = await read_revision(origin.repository, newest)
        changes = draw(revision)
        if changes is None:
            return revision
        try:
            await origin.push(newest, await origin.repository.draft(newest, changes))
        except LostRaceError:
            await asyncio.sleep(random.uniform(0, 0.5))  # noqa: S311 - no secret
        else:
            return revision
    raise LostRaceError(f"{origin.repository.path}: others committed first {MOST_TRIES} times; try it again")
