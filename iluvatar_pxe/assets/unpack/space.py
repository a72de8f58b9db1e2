"""Whether a disk has room for what is about to be unpacked."""

import shutil
from pathlib import Path

from iluvatar_pxe.errors import UnpackError

RESERVE = 64 << 20
"""Bytes that stay free: the inventory and the repository lie on the same disk."""


def check_space(place: Path, needed: int) -> None:
    """Raise UnpackError, which says how much is missing, unless ``needed`` bytes fit; raises OSError."""
    missing = needed + RESERVE - shutil.disk_usage(place).free
    if missing > 0:
        raise UnpackError(
            f"needs {needed} bytes to unpack, and {missing} are missing on the disk of {place}; "
            "remove files, or run iluvatar-pxe assets gc"
        )
