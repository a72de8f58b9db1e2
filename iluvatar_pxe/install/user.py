"""The unprivileged user that the service runs as."""

import pwd
import re
import shutil
from pathlib import Path

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.commands import run
from iluvatar_pxe.install.placing import UNCHANGED

NAME = "iluvatar-pxe"


def ids_of(root: Path) -> tuple[int, int] | None:
    """Return the user's number and its group's, as the system below ``root`` knows them, or None.

    Raises InstallError where that user is root.
    """
    ids = _host_ids() if root == Path("/") else _image_ids(root / "etc/passwd")
    if ids and ids[0] == 0:
        raise InstallError(f"user {NAME}: has UID 0, like root; remove it from {root / 'etc/passwd'}")
    return ids


def create(root: Path, sysusers: Path, home: str) -> str:
    """Make the user, by systemd-sysusers where it is installed; return what was done; raises InstallError."""
    if ids_of(root):
        return UNCHANGED
    if shutil.which("systemd-sysusers"):
        run("systemd-sysusers", f"--root={root}", str(sysusers))
    else:
        shell = ("--shell", "/usr/sbin/nologin", "--home-dir", home, "--no-create-home")
        run("useradd", "--prefix", str(root), "--system", "--user-group", *shell, NAME)
    if not ids_of(root):
        raise InstallError(f"user {NAME}: was not created; create it (useradd --system {NAME}) and try again")
    return "created"


def _host_ids() -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def _image_ids(passwd: Path) -> tuple[int, int] | None:
    try:
        text = passwd.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    entry = re.search(rf"^{NAME}:[^:]*:(\d+):(\d+):", text, re.MULTILINE)
    return (int(entry[1]), int(entry[2])) if entry else None
