"""Stand-ins for boot files that are not here: what the lab, the demo and ``make stand-ins`` offer in their place.

Talos is replaced by a small Linux that fetches its machine configuration and says so; a Raspberry Pi's image by
files of the right names, which hold their own name and boot nothing.
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from iluvatar_pxe.boot.chains.raspberry_pi import FOLDER as RASPBERRY_PI
from iluvatar_pxe.boot.chains.talos import asset_names
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER
from iluvatar_pxe.fleet.models import Talos
from iluvatar_pxe.gitops.changes.starter import plant_starter_fleet
from iluvatar_pxe.gitops.directory import read_fleet
from iluvatar_pxe.lab.system.ipxe import PROGRAMS, current_ipxe
from iluvatar_pxe.lab.system.kernel import StandIn, stand_in

ARCHITECTURES = ("amd64", "arm64")
IMAGE = "stand-in"
"""The Raspberry Pi image's name."""

_PI_FILES = (
    *("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"),
    *("bcm2710-rpi-3-b.dtb", "bcm2710-rpi-3-b-plus.dtb", "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb"),
    *("overlays/overlay_map.dtb", "overlays/bcm2712d0.dtbo"),
    *("vmlinuz", "initrd.img"),
)
_PI_FILE_OCTETS = 20_000
"""More than one TFTP block, as the real files."""
_PI_CMDLINE = b"console=serial0,115200 console=tty1 root=LABEL=stand-in\n"
_ROLES = ("controlplane", "worker")
_ARDA = "\n# The stand-ins' own:\nconfig:\n" + "".join(f"  {role}: configs/{role}.yaml\n" for role in _ROLES)
_RULES = """
# The stand-ins' own:
  - {name: ARM64 machines with UEFI, match: {arch: arm64, firmware: "uefi-*"}, layer: arda}
"""


def write_stand_ins(directory: Path, cache: Path) -> None:
    """Write ``fleet`` and ``assets`` with stand-ins for everything; what was written before is replaced.

    Raises LabError and FleetError.
    """
    fleet, assets = directory / "fleet", directory / "assets"
    for old in (fleet, assets):
        shutil.rmtree(old, ignore_errors=True)
    write_fleet(fleet)
    add_programs(assets, current_ipxe(cache), PROGRAMS)
    for architecture in ARCHITECTURES:
        for talos in talos_of(fleet):
            add_talos(assets, talos, stand_in(cache, architecture))
    add_raspberry_pi(assets)


def write_fleet(fleet: Path, countdown: int = 3) -> None:
    """Write the starter fleet, with configurations, for every kind of machine; raises FleetError."""
    fleet.parent.mkdir(parents=True, exist_ok=True)
    plant_starter_fleet(fleet)
    _change(fleet / "layers" / "ainur.yaml", r"^image: \S+", f"image: {IMAGE}")
    _change(fleet / "layers" / "arda.yaml", r"\Z", _ARDA)
    _change(fleet / "fleet.yaml", r"\Z", _RULES)
    _change(fleet / "fleet.yaml", r"countdown: \d+", f"countdown: {countdown}")
    for role in _ROLES:
        config = f"# stand-in for a machine configuration: no secrets\nversion: v1alpha1\nmachine: {{type: {role}}}\n"
        (fleet / "configs" / f"{role}.yaml").write_text(config, encoding="utf-8")
    read_fleet(fleet)


def talos_of(fleet: Path) -> tuple[Talos, ...]:
    """Return what the layers of the fleet in a directory say of Talos, once for the same files; raises FleetError."""
    declared = read_fleet(fleet)
    layers = (declared.talos(name) for name in declared.layers)
    found = [layer.talos for layer in layers if layer and layer.talos.is_chosen]
    return tuple({(talos.schematic, talos.version): talos for talos in found}.values())


def add_programs(assets: Path, programs: Path, names: Iterable[str]) -> None:
    """Put iPXE programs into an assets directory."""
    for name in names:
        _copy(programs / name, assets / PROGRAM_FOLDER / name)


def add_talos(assets: Path, talos: Talos, system: StandIn) -> None:
    """Put the stand-in for Talos into an assets directory, under the names by which the fleet asks for Talos."""
    for name, file in zip(
        asset_names(talos, system.architecture), (system.kernel, system.initramfs), strict=True
    ):
        _copy(file, assets / name)


def add_raspberry_pi(assets: Path) -> None:
    """Put the stand-in for a Raspberry Pi's image into an assets directory."""
    for name in _PI_FILES:
        file = assets / RASPBERRY_PI / IMAGE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        line = f"stand-in for {name}\n".encode()
        file.write_bytes((line * (_PI_FILE_OCTETS // len(line) + 1))[:_PI_FILE_OCTETS])
    (assets / RASPBERRY_PI / IMAGE / "cmdline.txt").write_bytes(_PI_CMDLINE)


def _change(file: Path, pattern: str, text: str) -> None:
    changed = re.sub(pattern, text, file.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    file.write_text(changed, encoding="utf-8")


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)
