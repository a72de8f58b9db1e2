"""What the fleet wants to be downloaded, whether a machine has asked for it or not. Pure."""

from collections.abc import Iterator

from iluvatar_pxe.boot.rules import Asker, may_match
from iluvatar_pxe.catalogue.names import ARGO_CD, CHART_OF_ARGO_CD, FIRMWARE, IPXE, K3S, PROVISIONING, TALOS
from iluvatar_pxe.catalogue.wish import Wish
from iluvatar_pxe.fleet.models import Fleet, K3sLayer, TalosLayer
from iluvatar_pxe.fleet.source import FLEET_FILE, layer_file
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch

_TALOS_ARCH = {CpuArch.X86_64: "amd64", CpuArch.ARM64: "arm64"}
_K3S_ARCH = "arm64"
_PC_FIRMWARE = (Firmware.BIOS_PXE, Firmware.UEFI_PXE, Firmware.UEFI_HTTP, Firmware.IPXE)


def wishes_of(fleet: Fleet) -> tuple[Wish, ...]:
    """Return what a fleet wants: iPXE, what its layers, rules and machines boot, and what its ``assets`` name.

    Images are the last, since each is larger than all else together.
    """
    wishes = [Wish(entry=IPXE, wanted_by="every machine that is not a Raspberry Pi")]
    for name, layer in fleet.layers.items():
        if isinstance(layer, TalosLayer):
            wishes += _of_talos(name, layer, fleet)
        elif isinstance(layer, K3sLayer):
            record = fleet.clusters.get(name)
            wishes += _of_k3s(name, layer, (record and record.version) or "")
    wishes += (*_of_boots(fleet), *_of_assets(fleet))
    return tuple(sorted(wishes, key=lambda wish: wish.image != ""))


def _of_talos(name: str, layer: TalosLayer, fleet: Fleet) -> Iterator[Wish]:
    for arch in talos_architectures(name, fleet):
        yield Wish(
            entry=TALOS,
            version=layer.talos.version,
            schematic=layer.talos.schematic,
            arch=arch,
            wanted_by=layer_file(name),
        )
    if not layer.config:
        yield Wish(entry=ARGO_CD, wanted_by=layer_file(name))


def talos_architectures(layer: str, fleet: Fleet) -> tuple[str, ...]:
    """Return the architectures that machines of a layer have, or may have by the rules that lead there.

    A listed machine counts as amd64 unless ``seen`` in its file says otherwise, and so does a layer that nothing leads to.
    """
    machines = {one.file.seen.arch for one in fleet.listed if one.layer == layer}
    listed = {arch if arch in set(CpuArch) else CpuArch.X86_64 for arch in machines}
    ruled = {arch for arch in _TALOS_ARCH if _may_join(layer, arch, fleet)}
    found = tuple(name for arch, name in _TALOS_ARCH.items() if arch in listed | ruled)
    return found or (_TALOS_ARCH[CpuArch.X86_64],)


def _may_join(layer: str, arch: CpuArch, fleet: Fleet) -> bool:
    askers = [Asker(macs=(), arch=arch, firmware=firmware) for firmware in _PC_FIRMWARE]
    rules = [rule for rule in fleet.settings.rules if rule.layer == layer]
    return any(may_match(rule, asker) for rule in rules for asker in askers)


def _of_k3s(name: str, layer: K3sLayer, running: str) -> Iterator[Wish]:
    """Yield what a layer wants; its nodes are ``running`` a version until they are upgraded."""
    by = layer_file(name)
    if layer.image:
        yield Wish(image=layer.image, wanted_by=by)
    for entry in (*FIRMWARE, PROVISIONING):
        yield Wish(entry=entry, wanted_by=by)
    for version in dict.fromkeys(filter(None, (layer.k3s.version, running))):
        yield Wish(entry=K3S, version=version, arch=_K3S_ARCH, wanted_by=by)
    if not layer.configures_itself:
        yield Wish(entry=CHART_OF_ARGO_CD, wanted_by=by)


def _of_boots(fleet: Fleet) -> Iterator[Wish]:
    """Images that rules and machines' files name in place of their layer's."""
    for number, rule in enumerate(fleet.settings.rules, 1):
        if rule.image:
            yield Wish(image=rule.image, wanted_by=f"rule {number} of {FLEET_FILE}")
    machines: dict[str, list[str]] = {}
    for listed in fleet.listed:
        if listed.file.image:
            machines.setdefault(listed.file.image, []).append(listed.name)
    for image, names in machines.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield Wish(image=image, wanted_by=f"machines/{names[0]}.yaml{more}")


def _of_assets(fleet: Fleet) -> Iterator[Wish]:
    """Entries that ``fleet.yaml`` names are wanted for that alone, unless layers want them, or images are named."""
    assets = fleet.settings.assets
    images = {name for name, entry in assets.entries.items() if entry.image}
    for entry in dict.fromkeys((*assets.versions, *assets.entries)):
        if entry not in {IPXE, TALOS, K3S, PROVISIONING, *FIRMWARE, *images}:
            yield Wish(entry=entry, wanted_by=f"assets in {FLEET_FILE}")
