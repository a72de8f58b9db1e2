"""The unprivileged user that the service runs as."""

import shutil
from pathlib import Path

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.service.commands import run
from iluvatar_pxe.service.placing import UNCHANGED

NAME = "iluvatar-pxe"


def ids_of(root: Path) -> tuple[int, int] | None:
    """Return the user's number and its group's, as the system below ``root`` knows them, or None."""
    try:
        lines = (root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    entry = next((line.split(":") for line in lines if line.startswith(f"{NAME}:")), None)
    return (int(entry[2]), int(entry[3])) if entry else None


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
        raise InstallError(f"user {NAME}: was not made; make it (useradd --system {NAME}) and try again")
    return "made"
