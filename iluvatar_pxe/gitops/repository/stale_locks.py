"""Removes stale locks of killed git processes, which block every commit."""

import time
from contextlib import suppress
from pathlib import Path

import structlog

STALE_SECONDS = 60.0
"""Age of a lock after which its owner is dead: git holds one for the moment of a rename."""
_PLACES = ("*.lock", "refs/**/*.lock", "objects/info/*.lock")

_log = structlog.get_logger()


def remove_stale_locks(repository: Path, seconds: float = STALE_SECONDS) -> int:
    """Remove locks that are older than so many seconds, and return how many; blocks."""
    removed = 0
    for path in (path for place in _PLACES for path in repository.glob(place)):
        with suppress(OSError):  # its owner was quicker
            if abs(time.time() - path.stat().st_mtime) > seconds:  # a clock may have been set back
                path.unlink()
                removed += 1
                _log.warning("git.lock", removed=str(path), why="the git process that held it was killed")
    return removed
