"""Whether a file is on an SD card or eMMC."""

import os
from pathlib import Path

_BLOCK_DEVICES = Path("/sys/dev/block")
"""Has a link to each block device, by its numbers."""


def is_on_card(path: Path, devices: Path = _BLOCK_DEVICES) -> bool:
    """Say whether a file is on an SD card or eMMC, as far as the kernel tells; raises OSError."""
    number = path.stat().st_dev
    device = (devices / f"{os.major(number)}:{os.minor(number)}").resolve()
    return any(part.startswith("mmcblk") for part in device.parts)
