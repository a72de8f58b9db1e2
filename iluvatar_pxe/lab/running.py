"""Which lab is up: a file that its holder keeps locked, so that what a killed one left tells itself.

The lock is the kernel's, and goes with the process; the file's text says where the lab is. Its processes are sent
signals and its namespaces entered, so a file that another user could have written is refused.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from iluvatar_pxe.errors import LabError


class Running(Struct, frozen=True):
    """A lab that is up."""

    holder: int
    """Process id of what keeps it up, and ends it."""
    inside: int
    """Process id of a process in its namespaces."""
    daemon: int
    fleet: str
    assets: str


def state_file(environ: Mapping[str, str], *, is_root: bool) -> Path:
    """Return the file's place; raises LabError for a user without a runtime directory.

    Root's own is fixed: su and sudo -E hand on the variable of the user who called them.
    """
    base = "/run" if is_root else environ.get("XDG_RUNTIME_DIR")
    if not base:
        raise LabError(
            "XDG_RUNTIME_DIR is not set, where the lab keeps its state; set it, or run this as root"
        )
    return Path(base, "iluvatar-pxe-lab", "lab.json")


def running(file: Path) -> Running | None:
    """Return the lab that is up, or None; raises LabError while one is being built or ends."""
    try:
        with os.fdopen(_open(file, os.O_RDONLY), "rb") as state:
            if _lock(state.fileno(), fcntl.LOCK_SH):
                return None
            text = state.read()
    except FileNotFoundError:
        return None
    if not text:
        raise LabError("the lab is starting; wait until it is up")
    lab = Running(**json.loads(text))
    if not _is_whole(lab):
        raise LabError(f"the lab is stopping; if it does not end, kill process {lab.holder}")
    return lab


@contextmanager
def claimed(file: Path) -> Iterator[int]:
    """Be the one holder while the block runs, and give what ``publish`` needs; raises LabError when there is one."""
    state = _open(file, os.O_RDWR | os.O_CREAT)
    try:
        if not _lock(state, fcntl.LOCK_EX) or not _is_still(state, file):
            raise LabError("a lab is up or starting; to stop it: iluvatar-pxe lab down")
        os.ftruncate(state, 0)
        try:
            yield state
        finally:
            file.unlink(missing_ok=True)
    finally:
        os.close(state)


def publish(state: int, lab: Running) -> None:
    """Tell where the lab is, now that it is up."""
    with open(state, "w", closefd=False) as file:
        json.dump(asdict(lab), file)


def forget(file: Path) -> None:
    """Remove what a killed holder left; raises LabError when one is there."""
    if file.exists():
        with claimed(file):
            pass


def _open(file: Path, how: int) -> int:
    """Open the state file; raises LabError where others could have put it, FileNotFoundError where nobody has."""
    try:
        if how & os.O_CREAT:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = os.open(file.parent, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _require_own(file.parent, os.fstat(place), stat.S_IFDIR)
            state = os.open(
                file.name, how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=place
            )
        finally:
            os.close(place)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LabError(
            f"the lab's state cannot be kept in {file}: {error.strerror}; remove what is in the way"
        ) from error
    try:
        _require_own(file, os.fstat(state), stat.S_IFREG)
    except LabError:
        os.close(state)
        raise
    return state


def _require_own(path: Path, found: os.stat_result, kind: int) -> None:
    is_open = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if stat.S_IFMT(found.st_mode) != kind or found.st_uid != os.geteuid() or is_open:
        raise LabError(f"{path}: another user may have made or changed it; remove it, and run this again")


def _is_whole(lab: Running) -> bool:
    """Say whether its processes are this user's, and the daemon in the process namespace that is the lab's own."""
    pids = (lab.holder, lab.inside, lab.daemon)
    try:
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in pids}
        outside, inside, daemon = (Path(f"/proc/{pid}/ns/pid").stat().st_ino for pid in pids)
    except OSError:  # it has ended
        return False
    return owners == {os.geteuid()} and outside != inside == daemon


def _lock(state: int, how: int) -> bool:
    """Try to lock; say whether it was done."""
    try:
        fcntl.flock(state, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(state: int, file: Path) -> bool:
    """Say whether the open file is the one that has the name: a holder that ended has removed it in the meantime."""
    try:
        return os.path.samestat(os.fstat(state), file.stat())
    except FileNotFoundError:
        return False
