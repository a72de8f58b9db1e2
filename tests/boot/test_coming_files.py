"""Boot files that are on their way: who waits for them, and what is told meanwhile."""

import pytest
from support.fleets import CONFIGURED, INITRAMFS, KERNEL, PROGRAMS, READY, fleet_of
from support.machines import machine_of, snapshot_of

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import decide
from iluvatar_pxe.boot.plan import BootLocal, Chainload, CountDown, Hold, Ignore, Plan, RunScript
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.wire.pxe import CpuArch, Platform

MAC = "52:54:00:77:00:01"
RULE = "rules: [{match: {mac: '52:54:00'}, layer: arda}]\n"
LISTED = fleet_of(("one", MAC, "chain: talos\nconfig: configs/one.yaml\n"))
OF_RULE = fleet_of(fleet=RULE, arda=CONFIGURED)
SHORT = "talos/3765...b4ba/v1.13.9"
HALF = Progress(state=State.LOADING, done=50, size=100)
UNDER_WAY = [state for state in State if Progress(state=state).is_under_way]


def asking(firmware: Firmware = Firmware.IPXE, waited: int = 0) -> Sighting:
    platform = Platform.BIOS if firmware is Firmware.BIOS_PXE else Platform.UEFI
    macs = (MAC,) if firmware is Firmware.IPXE else ()
    return Sighting(
        mac=MAC, firmware=firmware, arch=CpuArch.X86_64, platform=platform, macs=macs, waited=waited
    )


def listed(**coming: Progress) -> Plan:
    named = {KERNEL if name == "kernel" else INITRAMFS: one for name, one in coming.items()}
    context = Context(ready=PROGRAMS | ({KERNEL, INITRAMFS} - named.keys()), coming=named, no_assignment="-")
    return decide(asking(), Snapshot(), LISTED, context).plan


def unlisted(coming: Progress, *, waited: int = 0, is_open: bool = True) -> Plan:
    context = Context(ready=READY - {KERNEL}, coming={KERNEL: coming}, window_open=is_open)
    return decide(asking(waited=waited), snapshot_of(machine_of(MAC)), OF_RULE, context).plan


def test_a_machine_is_told_of_every_file_that_it_waits_for() -> None:
    plan = listed(kernel=HALF, initramfs=Progress(state=State.QUEUED))
    assert isinstance(plan, Hold)
    assert plan.awaits_file
    assert plan.screen == (
        "It boots by itself as soon as its boot files are here:",
        f"{SHORT}/kernel-amd64 is 50 % here (0.0 of 0.0 MB).",
        f"{SHORT}/initramfs-amd64.xz is queued for download.",
    )
    assert plan.why.endswith(
        f", but {SHORT}/kernel-amd64 is 50 % here (0.0 of 0.0 MB); {SHORT}/initramfs-amd64.xz is queued for download"
    )


@pytest.mark.parametrize(
    ("state", "trouble", "remedy"),
    [
        (
            State.WAITING,
            "is missing, and its download waits for another attempt: a.example: no route to host",
            "correct that, or bring the file by 'iluvatar-pxe assets import PATH'",
        ),
        (
            State.MISSING,
            "is missing, and nothing fetches it",
            "run 'iluvatar-pxe assets fetch', or 'iluvatar-pxe assets import PATH' where there is no internet",
        ),
    ],
)
def test_what_somebody_has_to_do_goes_first_and_names_the_file_in_full(
    state: State, trouble: str, remedy: str
) -> None:
    plan = listed(kernel=HALF, initramfs=Progress(state=state, trouble="a.example: no route to host"))
    assert isinstance(plan, Hold)
    assert not plan.awaits_file
    assert plan.screen == (f"It cannot boot yet: {INITRAMFS} {trouble}.", f"What to do: {remedy}.")


def test_a_file_is_named_once_and_has_the_remedy_of_its_fault() -> None:
    fault = f"{KERNEL}: a.example has none (404); correct the version, or the address"
    plan = listed(kernel=Progress(state=State.WAITING, trouble=fault))
    assert isinstance(plan, Hold)
    trouble = "is missing, and its download waits for another attempt: a.example has none (404)"
    assert plan.screen == (
        f"It cannot boot yet: {KERNEL} {trouble}.",
        "What to do: correct the version, or the address, or bring the file by 'iluvatar-pxe assets import PATH'.",
    )


def test_it_boots_when_the_files_are_there() -> None:
    assert isinstance(listed(), RunScript)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_machine_that_may_join_waits_for_its_files_however_long_that_takes(state: State) -> None:
    for waited in (0, 30, 99_999):
        plan = unlisted(Progress(state=state), waited=waited)
        assert isinstance(plan, Hold)
        assert (plan.seconds, plan.awaits_file) == (None, True)


@pytest.mark.parametrize("state", [one for one in State if one not in UNDER_WAY])
def test_it_does_not_wait_for_what_nobody_brings(state: State) -> None:
    first = unlisted(Progress(state=state))
    assert isinstance(first, Hold)
    assert (first.seconds, first.awaits_file) == (30, False)
    assert isinstance(unlisted(Progress(state=state), waited=30), BootLocal)


def test_a_machine_that_may_not_join_does_not_wait_for_files() -> None:
    assert isinstance(unlisted(HALF, waited=30, is_open=False), BootLocal)


def test_nobody_joins_before_the_files_are_there() -> None:
    context = Context(ready=READY, window_open=True)
    assert isinstance(decide(asking(), snapshot_of(machine_of(MAC)), OF_RULE, context).plan, CountDown)


@pytest.mark.parametrize(
    ("firmware", "program"),
    [
        (Firmware.UEFI_PXE, "snponly.efi"),
        (Firmware.UEFI_HTTP, "snponly.efi"),
        (Firmware.BIOS_PXE, "ipxe.pxe"),
    ],
)
def test_firmware_whose_ipxe_is_coming_gets_no_answer_and_the_log_says_how_far_it_is(
    firmware: Firmware, program: str
) -> None:
    coming = {f"ipxe/{program}": HALF}
    plan = decide(asking(firmware), Snapshot(), LISTED, Context(coming=coming)).plan
    assert isinstance(plan, Ignore)
    assert plan.notable
    assert plan.why.endswith(f": ipxe/{program} is 50 % here (0.0 of 0.0 MB); no action is needed")


def test_another_program_that_is_there_is_not_waited_with() -> None:
    context = Context(ready=frozenset({"ipxe/ipxe.efi"}), coming={"ipxe/snponly.efi": HALF})
    plan = decide(asking(Firmware.UEFI_PXE), Snapshot(), LISTED, context).plan
    assert isinstance(plan, Chainload)
    assert plan.program == "ipxe/ipxe.efi"


def test_firmware_gets_its_ipxe_which_shows_how_far_the_rest_is() -> None:
    context = Context(ready=PROGRAMS, coming={KERNEL: HALF, INITRAMFS: HALF})
    plan = decide(asking(Firmware.UEFI_PXE), Snapshot(), LISTED, context).plan
    assert isinstance(plan, Chainload)
    assert "kernel-amd64 is 50 % here" in plan.why
