"""Files put in place whole or not at all, and directories."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.host.durable import put_in_place

UNCHANGED = "unchanged"
_IN_THE_WAY = "move away what is in its place"
_REMEDIES = {
    errno.EBUSY: "unmount it",
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EROFS: "remount it read-write",
}
_REMEDY = "free some space, or let root write there"


def put(path: Path, text: str, mode: int = 0o644) -> str:
    """Make ``path`` hold ``text``; return what was done. Until that is complete, the old file stays; raises InstallError."""
    with reported(path):
        _clear_up(path)
        if path.is_file() and path.read_bytes() == text.encode():
            return UNCHANGED
        there = path.exists()
        make_directory(path.parent)
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            _write(new, text.encode(), mode)
            put_in_place(new, path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
    return "updated" if there else "installed"


def make_directory(path: Path, mode: int = 0o755) -> str:
    """Make a directory and what it lies in, where it is not there; return what was done; raises InstallError.

    The modes are exact, whatever the umask: 0755 for what it lies in.
    """
    if path.is_dir():
        return UNCHANGED
    with reported(path):
        if not path.parent.exists():
            make_directory(path.parent)
        path.mkdir(exist_ok=True)
        path.chmod(mode)
    return "created"


def open_to(directory: Path, user: int, group: int, mode: int) -> str:
    """Give a directory its mode where that user has fewer rights than by that; return what was done; raises InstallError."""
    with reported(directory):
        status = directory.stat()
        shift = 6 if status.st_uid == user else 3 if status.st_gid == group else 0
        missing = (mode & ~status.st_mode) >> shift & 0o7
        if missing:
            directory.chmod(mode)
    return "opened to the service user" if missing else UNCHANGED


def remove(path: Path) -> str:
    """Remove a file or a directory with all that is in it; return what was done; raises InstallError."""
    with reported(path):
        _clear_up(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            path.unlink()
        else:
            return "not present"
    return "removed"


def give(directory: Path, user: int, group: int) -> str:
    """Make a directory and all that is in it a user's, links themselves and not what they lead to; raises InstallError.

    A file with another name elsewhere is left alone: whoever may write here could have linked it.
    """
    given = 0
    with reported(directory):
        for _, folders, files, here in os.fwalk(directory, follow_symlinks=False):
            for name in (".", *folders, *files):
                status = os.stat(name, dir_fd=here, follow_symlinks=False)
                is_other = (status.st_uid, status.st_gid) != (user, group)
                if is_other and (name in {".", *folders} or status.st_nlink == 1):
                    os.chown(name, user, group, dir_fd=here, follow_symlinks=False)
                    given += 1
    return f"{given} given to the service user" if given else UNCHANGED


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into InstallError."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, _REMEDY)
        raise InstallError(f"{path}: {error.strerror or error}; {remedy}, and try again") from error


def _clear_up(path: Path) -> None:
    """Remove what a ``put`` that was killed has left; the file of another one that runs is its own."""
    for left in path.parent.glob(f".{path.name}.*.new"):
        pid = left.suffixes[-2].removeprefix(".")
        if pid == str(os.getpid()) or not Path("/proc", pid).exists():
            left.unlink(missing_ok=True)


def _write(path: Path, data: bytes, mode: int) -> None:
    with path.open("xb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
