"""The boot chains, by the name a fleet gives them: one file each, one line each here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from iluvatar_pxe.boot.case import Subject
from iluvatar_pxe.boot.chains import hold, ipxe, local, raspberry_pi, talos
from iluvatar_pxe.boot.plan import BootLocal, Hold, RunScript, ServePiFiles

Final = RunScript | ServePiFiles | BootLocal | Hold
"""What a chain comes to."""

CHAINS: Mapping[str, Callable[[Subject], Final]] = MappingProxyType(
    {
        "talos": talos.plan,
        "raspberry-pi": raspberry_pi.plan,
        "local": local.plan,
        "hold": hold.plan,
        "ipxe": ipxe.plan,
    }
)
