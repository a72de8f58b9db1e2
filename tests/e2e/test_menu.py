"""Chain ``menu`` on real firmware: iPXE shows what the fleet offers, runs what is chosen, and goes on by itself."""

from pathlib import Path

import pytest
from e2e.side_by_side import boots_disk_after, mac_of, switch_on_all

from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab

pytestmark = pytest.mark.firmware

MENU = "menu: {timeout: %d, entries: [{name: Memory test, script: m.ipxe}, {name: Rescue system, script: r.ipxe}]}\n"
SCRIPTS = {
    "m.ipxe": b"#!ipxe\necho the memory test runs\nexit 1\n",
    "r.ipxe": b"#!ipxe\necho the rescue system runs\nexit 1\n",
}
LISTED = {"machines/m1.yaml": f'match: {{macs: ["{mac_of(1)}"]}}\nchain: menu\n'.encode()}


@pytest.mark.parametrize("kind", ["bios", pytest.param("uefi-x64", marks=pytest.mark.long)])
def test_a_menu_runs_what_is_chosen_and_goes_on_by_itself(current: Path, kind: str) -> None:
    with Lab() as lab:
        server = Server(lab.network, current)
        server.write_fleet({"fleet.yaml": (MENU % 5).encode()} | SCRIPTS | LISTED)
        server.start()
        (machine,) = switch_on_all(lab, [kind])
        boots_disk_after(machine, r"(?s)Rescue system.*booting from its own disk\.")


def test_a_key_chooses_from_the_menu(current: Path) -> None:
    with Lab() as lab:
        server = Server(lab.network, current)
        server.write_fleet({"fleet.yaml": (MENU % 600).encode()} | SCRIPTS | LISTED)
        server.start()
        (machine,) = switch_on_all(lab, ["bios"])
        machine.shows("Rescue system", BOOT_SECONDS)
        for key in ("down", "down", "ret"):
            machine.press(key)
        machine.shows("the rescue system runs", BOOT_SECONDS)
