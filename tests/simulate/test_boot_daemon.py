"""Every simulated kind boots from our daemon, all at once, by cards of their own."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.simulated import reports_of, start_simulated
from support.simulated_site import PCS, simulated_site
from support.stations import Site

from iluvatar_pxe.simulate.machine import Kind

PROGRAM = ["offer", "lease", "boot server", "pause", "program"]
SCRIPTS = ["iPXE offer", "iPXE lease", "script", "pause", "kernel", "initramfs", "config"]
STAGES = {
    Kind.BIOS: ["offer", "lease", "program", *SCRIPTS],
    Kind.UEFI_X64: [*PROGRAM, "autoexec.ipxe", *SCRIPTS],
    Kind.UEFI_ARM64: [*PROGRAM, "autoexec.ipxe", *SCRIPTS],
    Kind.UEFI_X64_HTTP: ["offer", "lease", "program", "autoexec.ipxe", *SCRIPTS],
    Kind.UEFI_ARM64_HTTP: ["offer", "lease", "program", "autoexec.ipxe", *SCRIPTS],
    Kind.IPXE: SCRIPTS,
    Kind.PI4: [
        "offer",
        "lease",
        "prefix",
        "config.txt",
        "self-update",
        "firmware",
        "initramfs",
        "device tree",
    ],
    Kind.PI5: ["offer", "lease", "prefix", "self-update", "device tree", "config.txt", "initramfs"],
    Kind.PI3: ["offer", "lease", "bootcode.bin", "offer to bootcode.bin", "prefix", "firmware", "config.txt"],
}


@pytest.fixture(scope="module")
def network(cards: None) -> Iterator[Site]:  # noqa: ARG001 - a condition
    with simulated_site() as built:
        yield built


@pytest.fixture(scope="module")
def reports(network: Site) -> dict[str, dict[str, Any]]:
    return {report["kind"]: report for report in reports_of(start_simulated(network.namespace, PCS, *Kind))}


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_boots_from_the_daemon(kind: Kind, reports: dict[str, dict[str, Any]]) -> None:
    report = reports[kind]
    assert not report["reason"]
    in_order = list(dict.fromkeys(report["stages"]))
    assert [name for name in in_order if name in STAGES[kind]] == list(dict.fromkeys(STAGES[kind]))
    assert in_order[-1] == ("kernel" if kind.is_pi else "config")


def test_the_daemon_took_them_for_what_they_are(network: Site, reports: dict[str, dict[str, Any]]) -> None:
    firmware = dict(network.rows("SELECT macs, firmware FROM machine_overview"))
    expected = {
        **dict.fromkeys((Kind.PI3, Kind.PI4, Kind.PI5), "raspberry-pi"),
        Kind.BIOS: "bios-pxe",
        Kind.UEFI_X64: "uefi-pxe",
        Kind.UEFI_ARM64_HTTP: "uefi-http",
        Kind.IPXE: "ipxe",
    }
    assert {kind: firmware[reports[kind]["mac"]] for kind in expected} == expected


def test_no_card_is_left_behind(network: Site, reports: dict[str, dict[str, Any]]) -> None:
    assert len(reports) == len(Kind)
    assert "sim" not in network.namespace.run(["ip", "-brief", "link"], network=PCS)
