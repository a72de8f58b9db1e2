"""docs/proxydhcp.md, "iPXE, TFTP and HTTP": the points that are about scripts and chained iPXE."""

from support.fleets import fleet_of, talos
from support.proxy import MAC, ME, Proxy, captured
from support.templates import IPXE

from iluvatar_pxe.boot.plan import RunScript
from iluvatar_pxe.machines.fingerprint import from_dhcp, from_ipxe
from iluvatar_pxe.replies.links import Links
from iluvatar_pxe.servers.tftp.files import AUTOEXEC
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import Option
from iluvatar_pxe.wire.pxe import CpuArch

LINKS = Links(ME, 8080)


def test_points_23_5_3_autoexec_lies_beside_every_program_and_brings_up_the_network() -> None:
    assert {"autoexec.ipxe", "ipxe/autoexec.ipxe"} == AUTOEXEC
    script = IPXE.first_script(LINKS, network=True)
    assert script.index("ifconf --configurator dhcp") < script.index("chain ")


def test_point_5_2_scripts_configure_ipv4_alone() -> None:
    for network in (False, True):
        commands = IPXE.first_script(LINKS, network=network).splitlines()
        assert not [line for line in commands if line.startswith(("dhcp", "ifconf net", "autoboot"))]


def test_point_5_5_a_chained_ipxe_with_a_bare_class_keeps_its_architecture() -> None:
    message = captured("uefi-arm64-pxe.5-ipxe-discover")
    assert message.option(Option.VENDOR_CLASS) == b"PXEClient"
    assert from_dhcp(message).arch is CpuArch.ARM64


def test_point_5_10_the_kernels_command_line_names_the_initramfs() -> None:
    sighting = from_ipxe({"mac": MAC, "arch": "x86_64", "platform": "efi"}, ME)
    plan = (
        Proxy(fleet_of(talos("one", MAC))).decide(replace(sighting, macs=())).plan
    )  # as if it were on record
    assert isinstance(plan, RunScript)
    (kernel,) = (
        line
        for line in IPXE.machine_script(plan, sighting, LINKS, "T").splitlines()
        if line.startswith("kernel ")
    )
    assert " initrd=" in kernel
