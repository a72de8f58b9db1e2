from pathlib import Path

import pytest

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.guest.firmware import FIRMWARE, firmware_named
from iluvatar_pxe.lab.room.namespace import require_tools
from iluvatar_pxe.values import replace


def test_a_kind_is_found_by_its_name() -> None:
    assert firmware_named("uefi-x64") is FIRMWARE["uefi-x64"]


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="mips: unknown firmware; choose one of bios, uefi-x64"):
        firmware_named("mips")


def test_missing_firmware_is_named_with_its_package() -> None:
    row = replace(FIRMWARE["uefi-x64"], code=Path("/no/such/firmware.fd"))
    with pytest.raises(LabError, match=r"/no/such/firmware\.fd is missing; install the package ovmf"):
        row.check()


def test_a_missing_program_is_named() -> None:
    with pytest.raises(LabError, match=r"no-such-tool is not in PATH.*package no-such-tool"):
        require_tools("sh", "no-such-tool")
