"""Our daemon as the lab's server, and the files that it serves there."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import iluvatar_pxe
from iluvatar_pxe.lab.ipxe import PROGRAMS
from iluvatar_pxe.lab.kernel import StandIn
from iluvatar_pxe.lab.namespace import DIRECTORY
from iluvatar_pxe.lab.network import INTERFACE, SERVER_ADDRESS, Network
from iluvatar_pxe.lab.process import Process

STATE = DIRECTORY / "state"
"""The daemon's state directory, as programs inside the lab see it."""

_SETTINGS = DIRECTORY / "config.toml"
_FLEET = DIRECTORY / "fleet"
_ASSETS = DIRECTORY / "assets"
_READY_SECONDS = 30.0
_VERSION = "v1.13.9"
_SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"


@dataclass(frozen=True, slots=True)
class Listed:
    """The one machine that the lab's fleet lists."""

    mac: str
    config: bytes
    """Its machine config, served as it is."""
    name: str = "arda-01"


def start_daemon(network: Network, system: StandIn, machine: Listed, programs: Path | None = None) -> Process:
    """Start the daemon for a fleet of one machine that boots ``system``, and wait until it listens.

    ``programs`` is a directory of iPXE programs; None: those that this machine has installed. Raises LabError.
    """
    _write_fleet(network.namespace.outside(_FLEET), machine)
    _write_assets(network.namespace.outside(_ASSETS), system, programs)
    network.namespace.outside(_SETTINGS).write_text(_settings(), encoding="utf-8")
    station = network.add_station("server", SERVER_ADDRESS)
    package = Path(iluvatar_pxe.__file__).parent.parent
    command = [sys.executable, "-m", "iluvatar_pxe", "serve", "--config", str(_SETTINGS)]
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONUNBUFFERED": "1"}
    daemon = network.namespace.start("daemon", command, network=station, environment=environment)
    daemon.wait_for(r'"event": "listening"', _READY_SECONDS)
    return daemon


def _settings() -> str:
    return (
        f'[network]\ninterfaces = ["{INTERFACE}"]\n'
        f'[state]\ndirectory = "{STATE}"\n'
        f'[assets]\ndirectory = "{_ASSETS}"\n'
        f'[fleet]\nsource = "{_FLEET}"\n'
        '[log]\nformat = "json"\n'
    )


def _write_fleet(fleet: Path, machine: Listed) -> None:
    files = {
        "fleet.yaml": b"domain: lab.home.arpa\n",
        "layers/arda.yaml": (
            "talos:\n"
            f"  version: {_VERSION}\n"
            f"  schematic: {_SCHEMATIC}\n"
            '  extra_kernel_args: ["console=ttyS0"]\n'
        ).encode(),
        f"machines/{machine.name}.yaml": (
            f'match: {{macs: ["{machine.mac}"]}}\n'
            "layer: arda\n"
            "chain: talos\n"
            f"config: configs/{machine.name}.yaml\n"
        ).encode(),
        f"configs/{machine.name}.yaml": machine.config,
    }
    for name, content in files.items():
        (fleet / name).parent.mkdir(parents=True, exist_ok=True)
        (fleet / name).write_bytes(content)


def _write_assets(assets: Path, system: StandIn, programs: Path | None) -> None:
    folder = assets / "talos" / _SCHEMATIC / _VERSION
    folder.mkdir(parents=True)
    shutil.copyfile(system.kernel, folder / f"kernel-{system.architecture}")
    shutil.copyfile(system.initramfs, folder / f"initramfs-{system.architecture}.xz")
    if programs is not None:
        (assets / "ipxe").mkdir()
        for name in PROGRAMS:
            shutil.copyfile(programs / name, assets / "ipxe" / name)
