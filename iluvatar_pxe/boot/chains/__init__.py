"""The boot chains, by the name a fleet gives them: one file each, one line each here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from iluvatar_pxe.boot.chains import hold, ipxe, local, talos
from iluvatar_pxe.boot.chains.subject import Subject
from iluvatar_pxe.boot.plan import BootLocal, Hold, RunScript

CHAINS: Mapping[str, Callable[[Subject], RunScript | BootLocal | Hold]] = MappingProxyType(
    {
        "talos": talos.plan,
        "local": local.plan,
        "hold": hold.plan,
        "ipxe": ipxe.plan,
    }
)
