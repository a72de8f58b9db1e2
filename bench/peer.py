"""The peer: dnsmasq as proxyDHCP and TFTP server beside a static HTTP server, in the lab's server.

What our boots are compared with; `reference_boot.py` runs both.
"""

import sys
from pathlib import Path

from iluvatar_pxe.lab.kernel import StandIn
from iluvatar_pxe.lab.namespace import DIRECTORY
from iluvatar_pxe.lab.network import INTERFACE, SERVER_ADDRESS, Network
from iluvatar_pxe.lab.process import Process

_HTTP_PORT = 8000
_READY_SECONDS = 10.0
_ROOT = DIRECTORY / "peer"
_URL = f"http://{SERVER_ADDRESS}:{_HTTP_PORT}"


def start_peer(network: Network, programs: Path, system: StandIn, config: bytes) -> list[Process]:
    """Start dnsmasq and the HTTP server; they serve ``programs``, the stand-in and ``config``."""
    station = network.add_station("server", SERVER_ADDRESS)
    root = network.namespace.outside(_ROOT)
    root.mkdir()
    for name in ("snponly.efi", "undionly.kpxe"):
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
    return [dnsmasq, http]


def _boot_script() -> bytes:
    """Return what iPXE runs: the least that boots the stand-in."""
    return (
        "#!ipxe\n"
        f"kernel {_URL}/kernel initrd=initramfs console=ttyS0 talos.config={_URL}/config.yaml\n"
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
        "--dhcp-vendorclass=set:httpclient,HTTPClient",
        "--dhcp-pxe-vendor=PXEClient,HTTPClient:Arch:00016",
        "--dhcp-option-force=tag:http,60,HTTPClient",
        f"--dhcp-boot=tag:http,{_URL}/snponly.efi",
        f"--dhcp-boot=tag:ipxe,{_URL}/boot.ipxe,,{SERVER_ADDRESS}",
        "--pxe-service=tag:!ipxe,x86PC,network boot,undionly.kpxe",
        "--pxe-service=tag:!ipxe,x86-64_EFI,network boot,snponly.efi",
        "--pxe-service=tag:!ipxe,BC_EFI,network boot,snponly.efi",
    ]
