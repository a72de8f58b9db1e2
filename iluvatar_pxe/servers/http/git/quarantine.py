"""Where git keeps the objects of a push until it is accepted (git-receive-pack(1), QUARANTINE ENVIRONMENT).

A git that is told to end removes locks and single files, and since version 2.39 not this directory any more ("tmp-objdir:
skip clean up when handling a signal"): each push that was broken off would take room until ``git prune`` finds it, weeks
later.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_VARIABLE = b"GIT_QUARANTINE_PATH="
_NAMES = ("tmp_objdir-", "incoming-")
"""How the directories' names begin, since git 2.35 and before."""


def quarantines_of(session: int, repository: Path) -> list[Path]:
    """Return the directories that processes of a session use, for pushes to a repository. Blocks.

    Git names the directory to what it begins: what reads the pack, and the hooks.
    """
    found = {Path(os.fsdecode(path)) for path in _told(session)}
    objects = repository.resolve() / "objects"
    return [path for path in found if path.parent.resolve() == objects and path.name.startswith(_NAMES)]


def remove(quarantines: list[Path]) -> None:
    """Remove what nobody uses any more. Blocks."""
    for path in quarantines:
        shutil.rmtree(path, ignore_errors=True)


def _told(session: int) -> Iterator[bytes]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                is_ours = _session(process) == session
                variables = (process / "environ").read_bytes().split(b"\0") if is_ours else []
            except OSError:  # it has just ended
                continue
            yield from (one.removeprefix(_VARIABLE) for one in variables if one.startswith(_VARIABLE))


def _session(process: Path) -> int:
    """Return the session of a process: the fourth word after its name, which may hold anything (proc(5))."""
    return int((process / "stat").read_bytes().rpartition(b")")[2].split()[3])
