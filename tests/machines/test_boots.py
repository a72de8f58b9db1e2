"""When a boot begins: the order of stages as real firmware produces it."""

import pytest

from iluvatar_pxe.machines.boots import Stage, begins_boot

DISCOVER, BOOT_SERVER, NBP, IPXE = Stage.DISCOVER, Stage.BOOT_SERVER, Stage.NBP, Stage.IPXE_DISCOVER
FIRST, SCRIPT, CONFIRM, KERNEL = Stage.FIRST_SCRIPT, Stage.SCRIPT, Stage.CONFIRM, Stage.KERNEL
INITRAMFS, CONFIG = Stage.INITRAMFS, Stage.CONFIG

SYSTEM = (FIRST, SCRIPT, KERNEL, INITRAMFS, CONFIG)
UEFI_PXE = (DISCOVER, DISCOVER, BOOT_SERVER, NBP, NBP, IPXE, *SYSTEM)

SEQUENCES = {
    "iPXE in ROM": ((IPXE, IPXE, *SYSTEM), 1),
    "iPXE in ROM, then reboot": ((IPXE, *SYSTEM, IPXE, *SYSTEM), 2),
    "iPXE in ROM, reboot right after the first script": ((IPXE, FIRST, IPXE, FIRST), 2),
    "BIOS ROM": ((DISCOVER, NBP, IPXE, *SYSTEM), 1),
    "UEFI PXE, program read twice": (UEFI_PXE, 1),
    "UEFI PXE, then reboot": (UEFI_PXE + UEFI_PXE, 2),
    "UEFI PXE, three boots": (UEFI_PXE * 3, 3),
    "HTTP Boot: HEAD, then GET": ((DISCOVER, NBP, NBP, IPXE, *SYSTEM), 1),
    "autoexec.ipxe is read before iPXE asks by DHCP": (
        (DISCOVER, BOOT_SERVER, NBP, NBP, NBP, IPXE, FIRST),
        1,
    ),
    "held for hours, asking again": ((DISCOVER, NBP, IPXE, FIRST, *(SCRIPT,) * 2000), 1),
    "held, then released": ((IPXE, FIRST, *(SCRIPT,) * 50, KERNEL, INITRAMFS, CONFIG), 1),
    "counted down, confirmed, and asked for its script again": (
        (DISCOVER, NBP, IPXE, FIRST, SCRIPT, CONFIRM, SCRIPT, KERNEL, INITRAMFS, CONFIG),
        1,
    ),
    "held, then power-cycled": ((DISCOVER, NBP, IPXE, FIRST, *(SCRIPT,) * 50, DISCOVER, NBP, IPXE, FIRST), 2),
    "Talos fetches its configuration again": ((*UEFI_PXE, CONFIG, CONFIG), 1),
    "firmware repeats an unanswered DISCOVER": ((DISCOVER,) * 5, 1),
    "firmware gives up on PXE and tries HTTP": (
        (DISCOVER, BOOT_SERVER, NBP, DISCOVER, NBP, IPXE, *SYSTEM),
        2,
    ),
    "PXE ROM resets while its program loads": ((DISCOVER, NBP, DISCOVER, NBP, IPXE), 2),
    "it boots its disk, and asks nobody": (
        (
            DISCOVER,
            CONFIG,
            Stage.STARTED,
            Stage.INSTALLED,
            Stage.STARTED,
            Stage.JOINED,
            Stage.STARTED,
            Stage.JOINED,
        ),
        3,
    ),
    "the network sends it to its disk": (
        (DISCOVER, CONFIG, Stage.INSTALLED, DISCOVER, Stage.STARTED, Stage.JOINED),
        2,
    ),
    "the daemon starts in the middle of a boot": ((KERNEL, INITRAMFS, CONFIG), 1),
}


def boots_in(sequence: tuple[Stage, ...]) -> int:
    reached: Stage | None = None
    boots = 0
    for stage in sequence:
        begins = begins_boot(reached, stage)
        boots += begins
        reached = stage if begins or reached is None else max(reached, stage)
    return boots


@pytest.mark.parametrize(("sequence", "boots"), SEQUENCES.values(), ids=SEQUENCES.keys())
def test_real_sequences(sequence: tuple[Stage, ...], boots: int) -> None:
    assert boots_in(sequence) == boots


@pytest.mark.parametrize("stage", Stage)
def test_anything_opens_the_first_boot(stage: Stage) -> None:
    assert begins_boot(None, stage)


@pytest.mark.parametrize("reached", Stage)
@pytest.mark.parametrize("stage", Stage)
def test_only_a_start_left_behind_opens_another(reached: Stage, stage: Stage) -> None:
    assert begins_boot(reached, stage) == (stage in {DISCOVER, IPXE, Stage.STARTED} and stage < reached)


def test_labels_are_words_for_people() -> None:
    assert [stage.label for stage in Stage] == [
        "discover",
        "boot-server",
        "nbp",
        "ipxe-discover",
        "first-script",
        "script",
        "confirm",
        "kernel",
        "initramfs",
        "config",
        "started",
        "installing",
        "installed",
        "running",
        "joined",
    ]
