"""The decision, as a table: who asks, what the fleet says, what is there; so what is served, and why."""

import pytest
from support.fleets import INITRAMFS, KERNEL, PROGRAMS, READY, fleet_of, talos
from support.machines import machine_of, snapshot_of
from support.plans import plan_for

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import BootLocal, Chainload, Hold, Ignore, Plan, RunScript
from iluvatar_pxe.fleet.models import Fleet, LocalMethod
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.wire.pxe import CpuArch, Platform

TALOS_MAC, LOCAL_MAC, HELD_MAC, SCRIPT_MAC, GONE_MAC, NATIVE_MAC, UNLISTED_MAC = (
    f"52:54:00:77:00:{number:02x}" for number in range(1, 8)
)
FLEET = fleet_of(
    talos("one", TALOS_MAC),
    ("two", LOCAL_MAC, "chain: local\nlocal: sanboot\n"),
    ("three", HELD_MAC, "chain: hold\n"),
    ("four", SCRIPT_MAC, "chain: ipxe\nscript: rescue.ipxe\n"),
    ("five", GONE_MAC, "chain: local\nlocal: 404\n"),
    ("six", NATIVE_MAC, "chain: hold\nprogram: ipxe.efi\n"),
    fleet="rules: [{name: boards, match: {arch: arm64}, intent: local}]\n",
    rescue_ipxe="#!ipxe\n",
)
BIOS = (Firmware.BIOS_PXE, Platform.BIOS, CpuArch.X86_64)
UEFI = (Firmware.UEFI_PXE, Platform.UEFI, CpuArch.X86_64)
HTTP = (Firmware.UEFI_HTTP, Platform.UEFI, CpuArch.X86_64)
IA32 = (Firmware.UEFI_PXE, Platform.UEFI, CpuArch.I386)
ARM64 = (Firmware.UEFI_PXE, Platform.UEFI, CpuArch.ARM64)
IPXE = (Firmware.IPXE, Platform.UEFI, CpuArch.X86_64)
IPXE_ARM64 = (Firmware.IPXE, Platform.UEFI, CpuArch.ARM64)
TALOS = (Firmware.TALOS, None, CpuArch.X86_64)
Kind = tuple[Firmware, Platform | None, CpuArch | None]


def plan(
    mac: str,
    kind: Kind = IPXE,
    *,
    fleet: Fleet = FLEET,
    ready: frozenset[str] = READY,
    snapshot: Snapshot = Snapshot(),  # noqa: B008 - immutable
    macs: tuple[str, ...] = (),
) -> Plan:
    firmware, platform, arch = kind
    sighting = Sighting(
        mac=mac,
        firmware=firmware,
        platform=platform,
        arch=arch,
        client="PXEClient (architecture 7)",
        macs=macs,
    )
    return plan_for(sighting, snapshot, fleet, Context(ready=ready, no_assignment="the database is away"))


TALOS_WHY = "machines/one.yaml sets chain talos, Talos v1.13.9"
UNLISTED_WHY = (
    f"no file of the fleet lists {UNLISTED_MAC}, and no rule matches it; after 30 s it boots its own disk"
)
BOARDS_WHY = 'rule 1 "boards" of fleet.yaml sets intent local'


@pytest.mark.parametrize(
    ("mac", "kind", "program", "why"),
    [
        (TALOS_MAC, BIOS, "ipxe/undionly.kpxe", f"bios-pxe runs ipxe/undionly.kpxe first; then: {TALOS_WHY}"),
        (TALOS_MAC, UEFI, "ipxe/snponly.efi", f"uefi-pxe runs ipxe/snponly.efi first; then: {TALOS_WHY}"),
        (TALOS_MAC, HTTP, "ipxe/snponly.efi", f"uefi-http runs ipxe/snponly.efi first; then: {TALOS_WHY}"),
        (
            UNLISTED_MAC,
            UEFI,
            "ipxe/snponly.efi",
            f"uefi-pxe runs ipxe/snponly.efi first; then: {UNLISTED_WHY}",
        ),
        (
            LOCAL_MAC,
            UEFI,
            "ipxe/snponly.efi",
            ("uefi-pxe runs ipxe/snponly.efi first; then: machines/two.yaml sets chain local"),
        ),
        (
            NATIVE_MAC,
            UEFI,
            "ipxe/ipxe.efi",
            ("uefi-pxe runs ipxe/ipxe.efi first; then: machines/six.yaml sets chain hold"),
        ),
        (
            UNLISTED_MAC,
            ARM64,
            "ipxe/ipxe-arm64.efi",
            f"uefi-pxe runs ipxe/ipxe-arm64.efi first; then: {BOARDS_WHY}",
        ),
    ],
)
def test_firmware_is_given_an_ipxe_program(mac: str, kind: Kind, program: str, why: str) -> None:
    assert plan(mac, kind) == Chainload(why, program)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (
            BIOS,
            (
                "no iPXE binary for PXEClient (architecture 7): run 'iluvatar-pxe assets fetch', or put undionly.kpxe or "
                "ipxe.pxe into the folder ipxe of the assets directory"
            ),
        ),
        (
            IA32,
            (
                "no iPXE binary for PXEClient (architecture 7): run 'iluvatar-pxe assets fetch', or put snponly-i386.efi or "
                "ipxe-i386.efi or ipxe32.efi into the folder ipxe of the assets directory"
            ),
        ),
        (
            (Firmware.UEFI_PXE, Platform.UEFI, CpuArch.ARM32),
            "no iPXE binary exists for PXEClient (architecture 7)",
        ),
        ((Firmware.UEFI_PXE, None, None), "no network boot program exists for PXEClient (architecture 7)"),
        ((Firmware.UNSUPPORTED, None, None), "no network boot program exists for PXEClient (architecture 7)"),
    ],
)
def test_what_cannot_be_booted_is_ignored_with_a_reason(kind: Kind, why: str) -> None:
    assert plan(UNLISTED_MAC, kind, ready=frozenset()) == Ignore(why, notable=True)


def test_what_asks_for_no_boot_is_ignored_quietly() -> None:
    assert plan(TALOS_MAC, (Firmware.NOT_BOOTING, None, None)) == Ignore("does not ask for a boot")


@pytest.mark.parametrize("kind", [IPXE, TALOS])
def test_ipxe_and_talos_get_the_chain_itself(kind: Kind) -> None:
    decided = plan(TALOS_MAC, kind)
    assert isinstance(decided, RunScript)
    assert (decided.chain, decided.name, decided.why) == ("talos", "one", TALOS_WHY)
    assert decided.config == "machine: {}\n"


@pytest.mark.parametrize(
    ("mac", "kind", "expected", "name", "why"),
    [
        (LOCAL_MAC, IPXE, BootLocal, "two", "machines/two.yaml sets chain local"),
        (HELD_MAC, IPXE, Hold, "three", "machines/three.yaml sets chain hold"),
        (SCRIPT_MAC, IPXE, RunScript, "four", "machines/four.yaml sets chain ipxe, script rescue.ipxe"),
        (GONE_MAC, IPXE, BootLocal, "five", "machines/five.yaml sets chain local"),
        (UNLISTED_MAC, IPXE, Hold, UNLISTED_MAC, UNLISTED_WHY),
        (
            UNLISTED_MAC,
            IPXE_ARM64,
            BootLocal,
            UNLISTED_MAC,
            BOARDS_WHY,
        ),
        (
            UNLISTED_MAC,
            (Firmware.IPXE, Platform.BIOS, CpuArch.I386),
            Hold,
            UNLISTED_MAC,
            UNLISTED_WHY,
        ),
    ],
)
def test_the_chain_by_machine(mac: str, kind: Kind, expected: type[Plan], name: str, why: str) -> None:
    decided = plan(mac, kind)
    assert isinstance(decided, expected)
    assert not isinstance(decided, Ignore | Chainload)
    assert (decided.name, decided.why) == (name, why)


@pytest.mark.parametrize("ready", [PROGRAMS, PROGRAMS | {KERNEL}, PROGRAMS | {INITRAMFS}])
def test_talos_without_its_files_is_held(ready: frozenset[str]) -> None:
    assert isinstance(plan(TALOS_MAC, IPXE, ready=ready), Hold)
    chainload = plan(TALOS_MAC, UEFI, ready=ready)
    assert isinstance(chainload, Chainload), "it is given iPXE all the same, to show why it waits"
    assert "is missing" in chainload.why


@pytest.mark.parametrize("kind", [BIOS, UEFI, HTTP, ARM64])
@pytest.mark.parametrize("ready", [READY, frozenset()])
def test_local_404_tells_firmware_itself(kind: Kind, ready: frozenset[str]) -> None:
    expected = BootLocal(why="machines/five.yaml sets chain local", name="five", method=LocalMethod.NOT_FOUND)
    assert plan(GONE_MAC, kind, ready=ready) == expected


def test_a_machine_is_listed_under_any_of_its_nics() -> None:
    snapshot = snapshot_of(machine_of(UNLISTED_MAC, LOCAL_MAC))
    assert isinstance(plan(UNLISTED_MAC, IPXE, snapshot=snapshot), BootLocal)


def test_nics_that_a_request_only_claims_do_not_count() -> None:
    assert isinstance(plan(UNLISTED_MAC, IPXE, macs=(UNLISTED_MAC, TALOS_MAC)), Hold)


def test_a_machine_listed_twice_is_held() -> None:
    decided = plan(TALOS_MAC, IPXE, snapshot=snapshot_of(machine_of(TALOS_MAC, LOCAL_MAC)))
    assert isinstance(decided, Hold)
    assert decided.why == "machines/one.yaml and machines/two.yaml list NICs of the same machine"
    assert decided.screen[-1] == f"  iluvatar-pxe machines split one {LOCAL_MAC}"


def test_the_architecture_may_be_known_from_before() -> None:
    kind = (Firmware.IPXE, None, None)
    assert isinstance(plan(UNLISTED_MAC, kind), Hold), "x86-64 where nothing is known"
    snapshot = snapshot_of(machine_of(UNLISTED_MAC, arch=CpuArch.ARM64))
    assert isinstance(plan(UNLISTED_MAC, kind, snapshot=snapshot), BootLocal)


@pytest.mark.parametrize("firmware", Firmware)
@pytest.mark.parametrize("platform", [None, *Platform])
@pytest.mark.parametrize("arch", [None, *CpuArch])
def test_every_combination_is_decided_in_words(
    firmware: Firmware, platform: Platform | None, arch: CpuArch | None
) -> None:
    for mac in (TALOS_MAC, LOCAL_MAC, HELD_MAC, SCRIPT_MAC, GONE_MAC, NATIVE_MAC, UNLISTED_MAC):
        for ready in (READY, frozenset[str]()):
            why = plan(mac, (firmware, platform, arch), ready=ready).why
            assert why
            assert why.isprintable()
