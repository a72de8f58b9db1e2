"""The names that Image Factory has for what can be built into a version of Talos. Pure."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.catalogue.schematic import Overlay, Schematic
from iluvatar_pxe.suggest import meant_by

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "siderolabs/amdgpu-firmware": "siderolabs/amdgpu",
        "siderolabs/gasket": "siderolabs/gasket-driver",
        "siderolabs/i915-ucode": "siderolabs/i915",
        "siderolabs/nonfree-kmod-nvidia": "siderolabs/nonfree-kmod-nvidia-lts",
        "siderolabs/nvidia-container-toolkit": "siderolabs/nvidia-container-toolkit-lts",
        "siderolabs/nvidia-fabricmanager": "siderolabs/nvidia-fabric-manager-lts",
        "siderolabs/nvidia-open-gpu-kernel-modules": "siderolabs/nvidia-open-gpu-kernel-modules-lts",
        "siderolabs/talos-vmtoolsd": "siderolabs/vmtoolsd-guest-agent",
        "siderolabs/usb-modem": "siderolabs/usb-modem-drivers",
        "siderolabs/v4l-uvc": "siderolabs/v4l-uvc-drivers",
        "siderolabs/xe-guest-utilities": "siderolabs/xen-guest-agent",
    }
)
"""Former names that the factory still takes (siderolabs/image-factory, internal/profile/profile.go)."""


class Offered(Struct, frozen=True, kw_only=True):
    """What a version's lists have: names of extensions, and of overlays by image and name."""

    version: str
    extensions: frozenset[str]
    overlays: frozenset[tuple[str, str]]


def unknown_names(schematic: Schematic, offered: Offered) -> Iterator[str]:
    """Yield a line for each name of a schematic that the lists do not have, with the one that was probably meant."""
    for name in schematic.extensions:
        if name not in offered.extensions and _ALIASES.get(name) not in offered.extensions:
            yield f"extensions: {_unknown(name, 'extension', offered.extensions, offered.version)}"
    if schematic.overlay:
        yield from _unknown_overlay(schematic.overlay, offered)


def _unknown_overlay(overlay: Overlay, offered: Offered) -> Iterator[str]:
    images = frozenset(image for image, _ in offered.overlays)
    names = frozenset(name for image, name in offered.overlays if image == overlay.image)
    if overlay.image not in images:
        yield f"overlay.image: {_unknown(overlay.image, 'overlay', images, offered.version)}"
    elif overlay.name not in names:
        yield f"overlay.name: {_unknown(overlay.name, f'overlay of {overlay.image}', names, offered.version)}"


def _unknown(name: str, kind: str, known: frozenset[str], version: str) -> str:
    by_last_part = {_last_part(one): one for one in sorted(known)}  # what all names begin with says nothing
    meant = meant_by(_last_part(name), by_last_part)
    remedy = f"did you mean {by_last_part[meant]}?" if meant else "take a name of Image Factory's list"
    return f"{name} is no {kind} for Talos {version}; {remedy}"


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
