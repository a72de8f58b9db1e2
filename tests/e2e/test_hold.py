"""Chain ``hold`` on real firmware: a machine that the fleet does not list waits, and its screen says what to do."""

from pathlib import Path

import pytest
from e2e.side_by_side import boots_disk_after, mac_of, switch_on_all
from support.lab_machine import COLUMNS, Machine

from iluvatar_pxe.lab.daemon import Server, reload
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab

pytestmark = pytest.mark.firmware

PROMPT = "Asking again in 30 seconds. Keys: d boots the disk, any other asks now."
BEFORE = "iluvatar-pxe at 10.77.0.2"
SCREEN = """\
{mac} waits.
Machine: QEMU Lab
Serial number LAB-{serial}, MAC {mac}

No file of the fleet lists this machine, and no rule matches it, so it waits.
To enrol it, add machines/NAME.yaml to the fleet with this line,
or add a matching rule to fleet.yaml:

  match: {{macs: ["{mac}"]}}

To boot its own disk now, press d.
To always boot its own disk, run on the boot server:
  iluvatar-pxe machines set {mac} --intent local

It is not a machine of the fleet: in {left} seconds it boots its own disk.
"""
WAITS_LONG = {"fleet.yaml": b"enrolment: {wait: 600}\n"}


@pytest.mark.parametrize("kind", ["bios", pytest.param("uefi-x64", marks=pytest.mark.long)])
def test_screen_says_what_to_do_and_the_key_d_boots_the_disk(current: Path, kind: str) -> None:
    with Lab() as lab:
        server = Server(lab.network, current)
        server.write_fleet(WAITS_LONG)
        server.start()
        (machine,) = switch_on_all(lab, [kind])
        held(machine, 1)
        machine.press("d")
        boots_disk_after(machine, "Going on to the next entry")


@pytest.mark.parametrize("own_programs", [False, pytest.param(True, marks=pytest.mark.long)])
def test_held_machine_boots_when_the_fleet_lists_it(current: Path, *, own_programs: bool) -> None:
    with Lab() as lab:
        server = Server(lab.network, None if own_programs else current)
        server.write_fleet(WAITS_LONG)
        daemon = server.start()
        (machine,) = switch_on_all(lab, ["uefi-x64-http"])
        held(machine, 1)
        machine.press("spc")  # any other key: asks at once, and is held again
        machine.shows(r"(?s)Asking again in.*Asking again in", BOOT_SECONDS)
        listed = f'match: {{macs: ["{mac_of(1)}"]}}\nchain: local\n'
        server.write_fleet({"machines/now-listed.yaml": listed.encode()})
        reload(lab.namespace, daemon.pid)
        boots_disk_after(machine, r"now-listed: booting from its own disk\.")


@pytest.mark.parametrize("kind", ["bios", pytest.param("uefi-x64", marks=pytest.mark.long)])
def test_machine_that_nobody_knows_waits_and_then_boots_its_disk_by_itself(current: Path, kind: str) -> None:
    with Lab() as lab:
        Server(lab.network, current).start()
        (machine,) = switch_on_all(lab, [kind])
        boots_disk_after(machine, r"(?s)in 30 seconds it boots.*booting from its own disk\.")


def held(machine: Machine, number: int, left: int = 600) -> None:
    """Wait for the screen of a held machine, and compare it with what a person is to read."""
    machine.shows("Asking again in", BOOT_SECONDS)
    mac = mac_of(number)
    expected = SCREEN.format(mac=mac, serial=mac.replace(":", ""), left=left)
    machine.shows("asks now", BOOT_SECONDS)
    assert shown_lines(expected) == own_part(machine.screen), machine.screen
    assert max(len(line) for line in machine.screen.partition(BEFORE)[2].splitlines()) < COLUMNS


def own_part(screen: str) -> list[str]:
    """Return the lines between the last progress of iPXE and the prompt."""
    text = screen.rpartition("/ipxe... ok")[2].partition("Asking again in")[0]
    return shown_lines(text)


def shown_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
