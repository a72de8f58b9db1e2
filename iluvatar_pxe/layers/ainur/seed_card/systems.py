"""The systems that a seed card can be made of, which are told by the label of their boot partition. Pure."""

from msgspec import Struct

from iluvatar_pxe.errors import SeedCardError

BEGINNING = 16 << 20
"""Bytes of an image that hold the first sector of its boot partition."""
_LABEL = slice(71, 82)
"""Of FAT32 (Microsoft, FAT: General Overview of On-Disk Format, 1.03)."""


class System(Struct, frozen=True):
    """A publisher's system for Raspberry Pis; Imager hands over what a person chooses there in ``init_format``."""

    label: str
    name: str
    init_format: str
    arguments: str = ""
    """What its kernel has to be told so that k3s may run on it."""


_SYSTEMS = (
    System("system-boot", "Ubuntu Server", "cloudinit"),
    System("bootfs", "Raspberry Pi OS", "cloudinit-rpi", "cgroup_enable=memory"),
)


def system_of(boot: bytes) -> System:
    """Return the system whose boot partition begins with these bytes; raises SeedCardError for an unknown one."""
    label = boot[_LABEL].decode("ascii", "replace").rstrip(" ")
    found = next((one for one in _SYSTEMS if one.label == label), None)
    if found is None:
        known = " or ".join(one.name for one in _SYSTEMS)
        raise SeedCardError(f"has a boot partition {label!r}; use an image of {known} for Raspberry Pis")
    return found
