"""A current iPXE: Debian 13's programs, whatever release this host runs."""

from pathlib import Path

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.system.packages import unpack_package

PROGRAMS = ("ipxe.efi", "snponly.efi", "undionly.kpxe", "ipxe-arm64.efi")
_INSTALLED = Path("/usr/lib/ipxe")
_SUITE = "trixie"


def current_ipxe(cache: Path) -> Path:
    """Return a directory with PROGRAMS of iPXE 2025 or later; raises LabError when it cannot be had.

    Only packages that are new enough have ``ipxe-arm64.efi``, so that file tells.
    """
    if _complete(_INSTALLED):
        return _INSTALLED
    directory = unpack_package(cache, "ipxe", _SUITE, "amd64") / "usr/lib/ipxe"
    if not _complete(directory):
        raise LabError(f"{directory}: the ipxe package of {_SUITE} lacks one of {', '.join(PROGRAMS)}")
    return directory


def _complete(directory: Path) -> bool:
    return all((directory / name).is_file() for name in PROGRAMS)
