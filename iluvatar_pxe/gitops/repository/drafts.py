"""Directories in which work on a repository is done before it counts, and what a killed process has left of them."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from iluvatar_pxe.host.owner import Owner

_LEFTOVER_SECONDS = 2 * 3600.0
"""Age at which unfinished work counts as abandoned: no push takes so long."""


def draft_beside(path: Path) -> Path:
    """Return a new directory beside a repository, for its owner; blocks, raises OSError."""
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    owner = Owner.of(path.parent)
    if os.geteuid() == 0:
        os.chown(draft, owner.user, owner.group)
    return draft


def remove_leftovers(directory: Path, pattern: str) -> None:
    """Remove what a process that was killed had begun: a repository, or the objects of a push."""
    for path in directory.glob(pattern):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
