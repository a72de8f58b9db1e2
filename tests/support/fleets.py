"""Fleets for tests, built by the real parser."""

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet

SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
KERNEL = f"talos/{SCHEMATIC}/v1.13.9/kernel-amd64"
INITRAMFS = f"talos/{SCHEMATIC}/v1.13.9/initramfs-amd64.xz"
ARDA = f"kind: talos\ntalos: {{version: v1.13.9, schematic: {SCHEMATIC}}}\n"
CONFIGURED = f"{ARDA}config: {{controlplane: configs/controlplane.yaml, worker: configs/worker.yaml}}\n"
"""A layer arda whose machines can boot without a configuration of their own."""
PROGRAMS = frozenset(
    {"ipxe/undionly.kpxe", "ipxe/ipxe.pxe", "ipxe/snponly.efi", "ipxe/ipxe.efi", "ipxe/ipxe-arm64.efi"}
)
READY = PROGRAMS | {KERNEL, INITRAMFS}


def fleet_of(
    *machines: tuple[str, str, str], fleet: str = "", arda: str = ARDA, ainur: str | None = None, **texts: str
) -> Fleet:
    """Build a fleet of (name, mac, further lines of its file).

    ``fleet``, ``arda`` and ``ainur`` are fleet.yaml and the layers' files, of which ``ainur`` gets its kind here; ``texts`` are files by name, ``_`` for
    ``.``. There are configs/one.yaml, controlplane.yaml and worker.yaml.
    """
    files = {"fleet.yaml": fleet, "layers/arda.yaml": arda, "configs/one.yaml": "machine: {}\n"}
    files |= {f"configs/{role}.yaml": f"machine: {{type: {role}}}\n" for role in ("controlplane", "worker")}
    if ainur is not None:
        files["layers/ainur.yaml"] = f"kind: k3s\n{ainur}"
    for name, mac, lines in machines:
        files[f"machines/{name}.yaml"] = f'match: {{macs: ["{mac}"]}}\n{lines}'
    files |= {name.replace("_", "."): text for name, text in texts.items()}
    return parse_fleet(files)


def talos(name: str, mac: str) -> tuple[str, str, str]:
    """Return a machine that boots Talos."""
    return name, mac, "chain: talos\nconfig: configs/one.yaml\n"
