"""Fleets for tests, built by the real parser."""

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet

SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
KERNEL = f"talos/{SCHEMATIC}/v1.13.9/kernel-amd64"
INITRAMFS = f"talos/{SCHEMATIC}/v1.13.9/initramfs-amd64.xz"
ARDA = f"talos: {{version: v1.13.9, schematic: {SCHEMATIC}}}\n"
PROGRAMS = frozenset(
    {"ipxe/undionly.kpxe", "ipxe/ipxe.pxe", "ipxe/snponly.efi", "ipxe/ipxe.efi", "ipxe/ipxe-arm64.efi"}
)
READY = PROGRAMS | {KERNEL, INITRAMFS}


def fleet_of(*machines: tuple[str, str, str], fleet: str = "", **texts: str) -> Fleet:
    """Build a fleet of (name, mac, further lines of its file); ``texts`` are files by name, ``_`` for ``.``."""
    files = {"fleet.yaml": fleet, "layers/arda.yaml": ARDA, "configs/one.yaml": "machine: {}\n"}
    for name, mac, lines in machines:
        files[f"machines/{name}.yaml"] = f'match: {{macs: ["{mac}"]}}\n{lines}'
    files |= {name.replace("_", "."): text for name, text in texts.items()}
    return parse_fleet(files)


def talos(name: str, mac: str) -> tuple[str, str, str]:
    """Return a machine that boots Talos."""
    return name, mac, "chain: talos\nconfig: configs/one.yaml\n"
