"""U-Boot for arm64, as Debian packages it, boots by itself from a router, our daemon and iPXE: docs/firmware.md."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.process import Process
from iluvatar_pxe.lab.room.namespace import DIRECTORY, Namespace
from iluvatar_pxe.lab.room.network import INTERFACE, PLUG, ROUTER_ADDRESS, SERVER_ADDRESS, Network
from iluvatar_pxe.lab.system.ipxe import current_ipxe
from iluvatar_pxe.lab.watch.capture import Capture, Packet
from iluvatar_pxe.wire.dhcp import ANY, DhcpMessage, MessageType, Option, decode
from iluvatar_pxe.wire.pxe import client_arch_codes, user_classes

U_BOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
CACHE = Path(__file__).parents[2] / ".cache" / "lab"
PROGRAM = "ipxe/ipxe-arm64.efi"
WAIT_FOR_INTERRUPT, NO_OPERATION = bytes.fromhex("7f2003d5"), bytes.fromhex("1f2003d5")
"""AArch64 instructions. U-Boot runs with interrupts off, so an iPXE that waits for one sleeps for ever
(siderolabs/sidero#806); one that was built without NAP_EFIARM does not."""
BOOT_SECONDS = 120.0

pytestmark = [
    pytest.mark.firmware,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces and taps"),
    pytest.mark.skipif(platform.freedesktop_os_release()["ID"] != "debian", reason="needs Debian's iPXE"),
    pytest.mark.skipif(not U_BOOT.is_file(), reason="needs the package u-boot-qemu"),
    pytest.mark.skipif(not shutil.which("qemu-system-aarch64"), reason="needs qemu-system-arm"),
]


@dataclass(frozen=True)
class Boot:
    """What happened until the screen said that the machine waits."""

    console: Process
    packets: list[Packet]

    def dhcp(self, kind: MessageType, port: int = 67) -> list[DhcpMessage]:
        messages = [decode(one.payload) for one in self.packets if one.target_port == port]
        return [message for message in messages if message.message_type is kind]


@pytest.fixture(scope="module")
def boot() -> Iterator[Boot]:
    with Namespace() as namespace:
        network = Network(namespace)
        start_router(network)
        server = Server(network, current_ipxe(CACHE))
        program = namespace.outside(server.assets / PROGRAM)
        program.write_bytes(program.read_bytes().replace(WAIT_FOR_INTERRUPT, NO_OPERATION))
        server.start()
        capture = Capture(network, "u-boot")
        console = start_u_boot(network)
        console.wait_for("Asking again in 30 seconds", BOOT_SECONDS, whole_lines=False)
        yield Boot(console, capture.stop())


def start_router(network: Network) -> None:
    """Start a router whose owner told it, for U-Boot alone, where the program is: docs/firmware.md."""
    station = network.add_station("router", ROUTER_ADDRESS)
    command = [
        *("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--log-facility=-", "--port=0", "--no-ping"),
        *(f"--interface={INTERFACE}", "--bind-interfaces", "--dhcp-range=10.77.0.100,10.77.0.199"),
        *(f"--dhcp-leasefile={DIRECTORY}/leases", "--dhcp-userclass=set:ipxe,iPXE"),
        *(f"--dhcp-match=set:arm64,option:client-arch,{code}" for code in (22, 11)),
        f"--dhcp-boot=tag:arm64,tag:!ipxe,{PROGRAM},,{SERVER_ADDRESS}",
    ]
    network.namespace.start("router", command, network=station).wait_for("DHCP, IP range", 10)


def start_u_boot(network: Network) -> Process:
    command = [
        *("qemu-system-aarch64", "-nodefaults", "-accel", "tcg", "-machine", "virt", "-cpu", "cortex-a57"),
        *("-m", "512", "-display", "none", "-serial", "stdio", "-bios", str(U_BOOT)),
        *("-netdev", f"tap,id=lan,script={PLUG},downscript=no"),
        *("-device", "virtio-net-pci,romfile=,netdev=lan"),
    ]
    return network.namespace.start("u-boot", command)


def test_it_asks_as_itself_then_as_uefi(boot: Boot) -> None:
    itself, uefi, *others = boot.dhcp(MessageType.DISCOVER)
    assert (itself.option(Option.VENDOR_CLASS), client_arch_codes(itself)) == (b"U-Boot.armv8", (22,))
    assert uefi.option(Option.VENDOR_CLASS) == b"PXEClient:Arch:00011:UNDI:003000"
    assert client_arch_codes(uefi) == (11,)
    assert all(b"iPXE" in user_classes(message) for message in others)


def uefi_mac(boot: Boot) -> str:
    return boot.dhcp(MessageType.DISCOVER)[1].chaddr.hex(":")


def test_its_lease_is_the_routers_though_a_proxy_offers_too(boot: Boot) -> None:
    """It drops offers without an address, so one that comes first does no harm."""
    offering = {offer.address(Option.SERVER_ID) for offer in boot.dhcp(MessageType.OFFER, 68)}
    chosen = {request.address(Option.SERVER_ID) for request in boot.dhcp(MessageType.REQUEST)}
    assert offering == {IPv4Address(ROUTER_ADDRESS), IPv4Address(SERVER_ADDRESS)}
    assert chosen == {IPv4Address(ROUTER_ADDRESS)}


def test_only_the_uefi_step_is_answered(boot: Boot) -> None:
    itself, uefi, *_ = boot.dhcp(MessageType.DISCOVER)
    answered = {one.xid: one.file for one in boot.dhcp(MessageType.OFFER, 68) if one.yiaddr == ANY}
    assert itself.xid not in answered
    assert answered[uefi.xid] == PROGRAM.encode()


def test_what_it_lacks_is_declined_at_once(boot: Boot) -> None:
    """It asks for a file for most of a minute where nobody answers."""
    requests = [one.payload.split(b"\0")[1][1:] for one in boot.packets if one.target_port == 69]
    assert requests == [b"boot.scr.uimg", PROGRAM.encode(), b"dtb/"]


def test_its_uefi_runs_ipxe_which_runs_our_script(boot: Boot) -> None:
    assert "using SNP" in boot.console.output
    assert f"{uefi_mac(boot)} waits." in boot.console.output
