"""Every simulated kind boots from dnsmasq as a proxy, so that the simulator itself is held to a peer."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.simulated import reports_of, start_simulated

from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import SERVER_ADDRESS, Network
from iluvatar_pxe.lab.room.router import start_router
from iluvatar_pxe.simulate.machine import Kind

FILES = DIRECTORY / "files"
URL = f"http://{SERVER_ADDRESS}:8080"
LOAD = f"kernel {URL}/kernel initrd=initrd talos.config={URL}/config.yaml\ninitrd --name initrd {URL}/initrd\nboot\n"
SMALL = {
    "boot.ipxe": "#!ipxe\n" + LOAD,
    "autoexec.ipxe": "#!ipxe\nifconf --configurator dhcp\n" + LOAD,
    "config.yaml": "machine: {}\n",
    "config.txt": "kernel=vmlinuz\ninitramfs initrd.img followkernel\n",
    "cmdline.txt": "root=/dev/ram0\n",
}
LARGE = (
    *("kernel", "initrd", "undionly.kpxe", "snponly.efi", "ipxe-arm64.efi", "vmlinuz", "initrd.img"),
    *("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"),
    *("bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb"),
)
DNSMASQ = f"""
port=0
interface=eth0
bind-interfaces
log-dhcp
log-facility=-
dhcp-range=10.77.0.0,proxy
enable-tftp
tftp-root={FILES}
dhcp-pxe-vendor=PXEClient,HTTPClient
dhcp-match=set:ipxe,175
dhcp-match=set:http-x64,option:client-arch,16
dhcp-match=set:http-arm64,option:client-arch,19
dhcp-mac=set:pi,b8:27:eb:*:*:*
dhcp-mac=set:pi,dc:a6:32:*:*:*
dhcp-mac=set:pi,2c:cf:67:*:*:*
dhcp-mac=set:pi3,b8:27:eb:*:*:*
dhcp-reply-delay=tag:pi3,1
dhcp-boot=tag:ipxe,{URL}/boot.ipxe
dhcp-boot=tag:http-x64,{URL}/snponly.efi
dhcp-boot=tag:http-arm64,{URL}/ipxe-arm64.efi
pxe-service=tag:pi,0,"Raspberry Pi Boot   "
pxe-service=tag:!pi,tag:!ipxe,0,"PXE",undionly.kpxe
pxe-service=tag:!ipxe,7,"PXE",snponly.efi
pxe-service=tag:!ipxe,11,"PXE",ipxe-arm64.efi
"""
LAST_STAGE = {kind: "kernel" if kind.is_pi else "config" for kind in Kind}


@pytest.fixture(scope="module")
def reports(cards: None) -> Iterator[dict[str, dict[str, str]]]:  # noqa: ARG001 - a condition
    """Boot all kinds at once; what was served says so itself when something fails."""
    with Namespace() as namespace:
        network = Network(namespace)
        start_router(network)
        files, config = namespace.outside(FILES), DIRECTORY / "dnsmasq.conf"
        write_files(files)
        namespace.outside(config).write_text(DNSMASQ)
        server = network.add_station("server", SERVER_ADDRESS)
        proxy = namespace.start(
            "dnsmasq", ["dnsmasq", "--no-daemon", f"--conf-file={config}"], network=server
        )
        proxy.wait_for("DHCP, proxy", 10)
        http = [sys.executable, "-u", "-m", "http.server", "8080", "--directory", str(FILES)]
        namespace.start("http", http, network=server).wait_for("Serving HTTP", 10)
        booting = start_simulated(namespace, network.add_station("pcs", "10.77.0.50"), *Kind)
        found = {report["kind"]: report for report in reports_of(booting)}
        yield found
        if any(report["reason"] for report in found.values()):
            sys.stdout.write(proxy.tail(200))


def write_files(directory: Path) -> None:
    directory.mkdir()
    for name, text in SMALL.items():
        (directory / name).write_text(text)
    for name in LARGE:
        (directory / name).write_bytes(b"MZ" + bytes(99_999))


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_boots_from_dnsmasq(kind: Kind, reports: dict[str, dict[str, str]]) -> None:
    report = reports[kind]
    assert not report["reason"]
    assert list(report["stages"])[-1] == LAST_STAGE[kind]
    assert "started" in report["result"]
