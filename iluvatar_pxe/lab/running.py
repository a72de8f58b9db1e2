"""Which lab is up: a file that its holder keeps locked, so that what a killed one left tells itself.

The lock is the kernel's, and goes with the process; the file's text says where the lab is.
"""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from iluvatar_pxe.errors import LabError


@dataclass(frozen=True, slots=True)
class Running:
    """A lab that is up."""

    holder: int
    """Process id of what keeps it up, and ends it."""
    inside: int
    """Process id of a process in its namespaces."""
    daemon: int
    fleet: str
    assets: str


def state_file(environ: Mapping[str, str], *, is_root: bool) -> Path:
    """Return the file's place: in the user's runtime directory (XDG), or one that serves as such."""
    base, own = environ.get("XDG_RUNTIME_DIR") or ("/run" if is_root else ""), "iluvatar-pxe-lab"
    place = Path(base, own) if base else Path(tempfile.gettempdir(), f"{own}-{os.getuid()}")
    return place / "lab.json"


def running(file: Path) -> Running | None:
    """Return the lab that is up, or None; raises LabError while one is being built."""
    try:
        with file.open("rb") as state:
            if _lock(state.fileno(), fcntl.LOCK_SH):
                return None
            text = state.read()
    except FileNotFoundError:
        return None
    if not text:
        raise LabError("the lab is being built at this moment; wait until it is up")
    return Running(**json.loads(text))


@contextmanager
def claimed(file: Path) -> Iterator[int]:
    """Be the one holder while the block runs, and give what ``publish`` needs; raises LabError when there is one."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _lock(state, fcntl.LOCK_EX) or not _is_still(state, file):
            raise LabError("a lab is up, or being built; to end it: iluvatar-pxe lab down")
        os.ftruncate(state, 0)
        try:
            yield state
        finally:
            file.unlink(missing_ok=True)
    finally:
        os.close(state)


def publish(state: int, lab: Running) -> None:
    """Tell where the lab is, now that it is up."""
    os.write(state, json.dumps(asdict(lab)).encode())


def forget(file: Path) -> None:
    """Remove what a killed holder left; raises LabError when one is there."""
    if file.exists():
        with claimed(file):
            pass


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
