"""Firmware for which there is no iPXE program gets no answer, one line in the log, and goes on to its disk."""

import pytest
from e2e.side_by_side import boots_disk_after, switch_on_all

from iluvatar_pxe.assets.catalogue import SYSTEM_PROGRAMS
from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.lab import Lab

pytestmark = pytest.mark.firmware

GAVE_UP = r"PXE-E\d\d|BdsDxe: failed to load"


def test_no_program_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with Lab() as lab:
        lab.namespace.run(["mkdir", "-p", str(SYSTEM_PROGRAMS)])
        lab.namespace.run(["mount", "-t", "tmpfs", "none", str(SYSTEM_PROGRAMS)])
        daemon = Server(lab.network).start()
        (machine,) = switch_on_all(lab, ["uefi-x64"])
        boots_disk_after(machine, GAVE_UP)
        print(machine.screen)
        print(daemon.output)
