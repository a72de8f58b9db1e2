"""What a seed card needs to know of an image, out of its list of packages. Pure."""

import re

from msgspec import Struct

from iluvatar_pxe.assets.unpack.ext4 import versions_in
from iluvatar_pxe.errors import SeedCardError

STATUS = "/var/lib/dpkg/status"
"""Where the list is, in the root file system."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Those that the daemon runs on."""
_ARM64 = re.compile(r"(?m)^Package: libc6\n(?:.+\n)*?Architecture: arm64$")
_REMEDY = "use a 64-bit image of Ubuntu Server 24.04 or newer, or of Raspberry Pi OS of 2025-11-24 or newer"


class ImageFacts(Struct, frozen=True):
    """``python`` is its own Python's version, such as 3.12."""

    python: str
    has_git: bool


def facts_of(status: str) -> ImageFacts:
    """Return what the text of ``STATUS`` tells; raises SeedCardError for an image that no card can be made of."""
    versions = versions_in(status, ("cloud-init", "git", "python3"))
    if not _ARM64.search(status):
        raise SeedCardError(f"has no system for arm64; {_REMEDY}")
    if "cloud-init" not in versions:
        raise SeedCardError(f"has no cloud-init, which begins the daemon's first start; {_REMEDY}")
    python = ".".join(versions.get("python3", "").split(".")[:2])
    if python not in PYTHONS:
        raise SeedCardError(f"has {f'Python {python}' if python else 'no Python'}; {_REMEDY}")
    return ImageFacts(python, "git" in versions)
