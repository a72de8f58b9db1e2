"""Commits by compare-and-swap: on the newest revision, and again when another commit came first."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from iluvatar_pxe.errors import LostRaceError
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision

MOST_TRIES = 8
"""Lost races after which a commit is given up."""
_LONGEST_PAUSE = 0.2
"""Longest wait between two tries, in seconds."""

Draw = Callable[[Revision], Changes | None]
"""Returns the changes to commit on top of a revision, or None if there are none."""
Read = Callable[[int], Awaitable[Revision]]
"""Returns the newest revision; takes the number of lost races so far."""
Push = Callable[[Revision, Changes], Awaitable[Revision]]
"""Commits changes on top of a revision, and returns the revision to report; raises LostRaceError."""


async def compare_and_swap(repository: Path, read: Read, draw: Draw, push: Push) -> Revision:
    """Commit what ``draw`` makes of the newest revision; return what ``push`` does, or the newest if nothing is to be done.

    All three may be called again and again, and raise what they like. Raises LostRaceError, which names ``repository``,
    when others were quicker each time.
    """
    for lost in range(MOST_TRIES):
        base = await read(lost)
        changes = draw(base)
        if changes is None:
            return base
        try:
            return await push(base, changes)
        except LostRaceError:
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311 - no secret
    raise LostRaceError(f"{repository}: other commits came first {MOST_TRIES} times; try again")
