"""The MACs of this host's own NICs, as the kernel shows them in sysfs."""

from contextlib import suppress
from pathlib import Path

from iluvatar_pxe.wire.mac import parse_mac

_CLASS_NET = Path("/sys/class/net")


def own_macs(directory: Path = _CLASS_NET) -> tuple[str, ...]:
    """Return them, by the names of their interfaces; bridges and other interfaces that have a MAC are among them."""
    found = []
    for path in sorted(directory.glob("*/address")):
        with suppress(OSError, ValueError):  # it is gone meanwhile, or has no MAC, as loopback
            found.append(parse_mac(path.read_text(encoding="ascii").strip()))
    return tuple(found)
