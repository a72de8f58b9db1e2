"""Firmware for which there is no iPXE binary gets no answer, the log says why, and it goes on to its disk."""

import json

import pytest
from e2e.side_by_side import boots_disk_after, mac_of, switch_on_all

from iluvatar_pxe.assets.store import SYSTEM_PROGRAMS
from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.lab import Lab

pytestmark = [pytest.mark.firmware, pytest.mark.long]

REASON = (
    "no iPXE binary for PXEClient:Arch:00007:UNDI:003000 (architecture 7): run 'iluvatar-pxe assets fetch', "
    "or put snponly.efi or ipxe.efi into the folder ipxe of the assets directory"
)
NOTHING_OFFERED = r"PXE-E16: No valid offer received\."


def test_no_program_no_answer() -> None:
    with Lab() as lab:
        lab.namespace.run(["mkdir", "-p", str(SYSTEM_PROGRAMS)])
        lab.namespace.run(["mount", "-t", "tmpfs", "none", str(SYSTEM_PROGRAMS)])
        daemon = Server(lab.network).start()
        (machine,) = switch_on_all(lab, ["uefi-x64"])
        boots_disk_after(machine, NOTHING_OFFERED)
        events = [json.loads(line) for line in daemon.output.splitlines()]
    told = {(event["mac"], event["why"]) for event in events if event["event"] == "dhcp.no_answer"}
    assert told == {(mac_of(1), REASON)}
    assert not [event for event in events if event["event"] == "boot"]
