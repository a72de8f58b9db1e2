"""Whether a disk has room for what is about to be unpacked."""

import shutil
from pathlib import Path

from iluvatar_pxe.assets.download.space import missing
from iluvatar_pxe.errors import DiskError


def check_space(place: Path, needed: int) -> None:
    """Raise DiskError, which says how much is missing, unless ``needed`` bytes fit; raises OSError."""
    if lacking := missing(needed, shutil.disk_usage(place).free):
        raise DiskError(
            f"cannot be unpacked: {place} lacks {lacking} bytes of free space; "
            "free them, for example with: iluvatar-pxe assets gc"
        )
