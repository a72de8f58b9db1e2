"""The installed program, and whether a service that sees no home directories can run it."""

import stat
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import iluvatar_pxe
from iluvatar_pxe.errors import InstallError

_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - named, not used
"""What ProtectHome= and PrivateTmp= of the unit hide."""
_REMEDY = "install iluvatar-pxe in /opt/iluvatar-pxe, with a Python that all users may run"


def installed_program() -> Path:
    """Return the path of ``iluvatar-pxe``; raises InstallError where the service could not run it."""
    program = Path(sysconfig.get_path("scripts")) / "iluvatar-pxe"
    if not program.is_file():
        raise InstallError(f"{program}: not found; {_REMEDY}")
    package = Path(iluvatar_pxe.__file__).parent
    check_readable([program, package, Path(sys.executable), Path(sys.base_prefix)])
    return program


def check_readable(paths: Iterable[Path]) -> None:
    """Raise InstallError for the first path that the service's user could not reach, by its links or in the end."""
    for path in paths:
        for place in (path, path.resolve()):
            if hidden := next((one for one in _HIDDEN if place.is_relative_to(one)), None):
                raise InstallError(f"{place}: is in {hidden}, which the service cannot see; {_REMEDY}")
            for part in (place, *place.parents):
                if not part.stat().st_mode & (stat.S_IXOTH if part.is_dir() else stat.S_IROTH):
                    raise InstallError(
                        f"{part}: not readable by the service user; change its mode, or {_REMEDY}"
                    )
