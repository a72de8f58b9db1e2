"""How long a machine takes from power to its config: ours beside the peer, in one run on one machine.

Usage: python bench/reference_boot.py [KIND [RUNS]]     (default: uefi-x64 3)

The peer is dnsmasq beside a static HTTP server, once with this host's installed iPXE and once with a
current one. The runs take turns, so that a busy moment hits all alike.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.boot_times import stage_table
from bench.lab_boot import MAC, Listed, boot, start_daemon
from iluvatar_pxe.lab.guest.firmware import firmware_named
from iluvatar_pxe.lab.room.lab import Lab
from iluvatar_pxe.lab.room.namespace import DIRECTORY
from iluvatar_pxe.lab.room.network import INTERFACE, SERVER_ADDRESS, Network
from iluvatar_pxe.lab.system.ipxe import current_ipxe
from iluvatar_pxe.lab.system.kernel import StandIn, stand_in
from iluvatar_pxe.lab.watch.stages import STAGES

CACHE = Path(__file__).parents[1] / ".cache" / "iluvatar-pxe" / "lab"
CONFIG = b"# a machine config\n" * 200
LAST_STAGE = STAGES[-1]
INSTALLED = Path("/usr/lib/ipxe")

_HTTP_PORT = 8000
_READY_SECONDS = 10.0
_ROOT = DIRECTORY / "peer"
_URL = f"http://{SERVER_ADDRESS}:{_HTTP_PORT}"


def main() -> None:
    parser = ArgumentParser(
        description="from power to a machine's config, beside dnsmasq and a static HTTP server"
    )
    parser.add_argument("kind", nargs="?", default="uefi-x64", help="of firmware (default: uefi-x64)")
    parser.add_argument("runs", nargs="?", type=int, default=3, help="of each contestant (default: 3)")
    words = parser.parse_args()
    kind: str = words.kind
    runs: int = words.runs
    contestants = _contestants(firmware_named(kind).architecture)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, serve in contestants.items():
            with Lab() as lab:
                serve(lab.network)
                rows[name].append(boot(lab, kind).stages)
            print("\n".join(stage_table([(name, rows[name][-1])])[1:]), flush=True)
    _report(kind, runs, rows)


def _contestants(architecture: str) -> dict[str, Callable[[Network], object]]:
    system, current = stand_in(CACHE, architecture), current_ipxe(CACHE)
    installed: dict[str, Callable[[Network], object]] = {
        "peer, installed iPXE": lambda network: start_peer(network, INSTALLED, system, CONFIG)
    }
    return (installed if architecture == "amd64" else {}) | {  # Debian 12 has no iPXE for arm64
        "peer, current iPXE": lambda network: start_peer(network, current, system, CONFIG),
        "ours, current iPXE": lambda network: start_daemon(network, system, Listed(MAC, CONFIG), current),
    }


def _report(kind: str, runs: int, rows: dict[str, list[dict[str, float]]]) -> None:
    medians = {name: _median(times) for name, times in rows.items()}
    print(f"\n{kind}: median of {runs} runs, seconds since switching on")
    print("\n".join(stage_table(medians.items())))
    *peers, ours = medians.items()
    for name, times in peers:
        ratio = ours[1][LAST_STAGE] / times[LAST_STAGE]
        print(f"{LAST_STAGE}: {ours[0]} / {name} = {ratio:.2f}")


def _median(runs: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each stage that every run reached."""
    return {
        stage: median(run[stage] for run in runs) for stage in STAGES if all(stage in run for run in runs)
    }


def start_peer(network: Network, programs: Path, system: StandIn, config: bytes) -> None:
    """Start dnsmasq and the HTTP server; they serve ``programs``, the stand-in and ``config``."""
    station = network.add_station("server", SERVER_ADDRESS)
    root = network.namespace.outside(_ROOT)
    root.mkdir()
    for name in ("snponly.efi", "undionly.kpxe", "ipxe-arm64.efi"):
        if (programs / name).is_file():
            (root / name).write_bytes((programs / name).read_bytes())
    (root / "kernel").write_bytes(system.kernel.read_bytes())
    (root / "initramfs").write_bytes(system.initramfs.read_bytes())
    (root / "config.yaml").write_bytes(config)
    (root / "boot.ipxe").write_bytes(_boot_script())
    dnsmasq = network.namespace.start("dnsmasq", _dnsmasq(), network=station)
    server = [sys.executable, "-u", "-m", "http.server", str(_HTTP_PORT), "--directory", str(_ROOT)]
    http = network.namespace.start("http", server, network=station)
    dnsmasq.wait_for("TFTP root is", _READY_SECONDS)
    http.wait_for("Serving HTTP", _READY_SECONDS)


def _boot_script() -> bytes:
    """Return what iPXE runs: the least that boots the stand-in."""
    return (
        "#!ipxe\n"
        f"kernel {_URL}/kernel initrd=initramfs talos.config={_URL}/config.yaml\n"
        f"initrd {_URL}/initramfs\n"
        "boot\n"
    ).encode()


def _dnsmasq() -> list[str]:
    return [
        "dnsmasq",
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=root",
        "--log-facility=-",
        "--log-dhcp",
        "--port=0",
        f"--interface={INTERFACE}",
        "--bind-interfaces",
        f"--dhcp-range={SERVER_ADDRESS},proxy",
        "--enable-tftp",
        f"--tftp-root={_ROOT}",
        "--dhcp-match=set:ipxe,175",
        "--dhcp-match=set:http,option:client-arch,16",
        "--dhcp-match=set:http,option:client-arch,19",
        "--dhcp-match=set:arm64,option:client-arch,19",
        "--dhcp-vendorclass=set:httpclient,HTTPClient",
        "--dhcp-pxe-vendor=PXEClient,HTTPClient:Arch:00016,HTTPClient:Arch:00019",
        "--dhcp-option-force=tag:http,60,HTTPClient",
        f"--dhcp-boot=tag:http,tag:!arm64,{_URL}/snponly.efi",
        f"--dhcp-boot=tag:http,tag:arm64,{_URL}/ipxe-arm64.efi",
        f"--dhcp-boot=tag:ipxe,{_URL}/boot.ipxe,,{SERVER_ADDRESS}",
        "--pxe-service=tag:!ipxe,x86PC,network boot,undionly.kpxe",
        "--pxe-service=tag:!ipxe,x86-64_EFI,network boot,snponly.efi",
        "--pxe-service=tag:!ipxe,BC_EFI,network boot,snponly.efi",
        "--pxe-service=tag:!ipxe,ARM64_EFI,network boot,ipxe-arm64.efi",
    ]


if __name__ == "__main__":
    main()
