"""Enrolment on real firmware: a machine that no file lists counts down and joins, or a key sends it to its disk."""

from pathlib import Path
from typing import Any

import pytest
from e2e.side_by_side import boots_disk_after, mac_of, switch_on_all
from support.rows import inventory_rows

from bench.lab_boot import boot, offer_system
from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab
from iluvatar_pxe.lab.system.kernel import StandIn

pytestmark = pytest.mark.firmware

CONFIGS = {
    "fleet.yaml": b"rules: [{name: PCs, match: {manufacturer: QEMU, serial: 'LAB-*'}, layer: arda}]\n",
    "configs/controlplane.yaml": b"machine: {type: controlplane}\n",
    "configs/worker.yaml": b"machine: {type: worker}\n",
}
ROLES = b"config: {controlplane: configs/controlplane.yaml, worker: configs/worker.yaml}\n"
COUNTING = "Press any key within 10 seconds to boot its own disk instead"


@pytest.mark.parametrize("kind", ["bios", pytest.param("uefi-x64", marks=pytest.mark.long)])
def test_unlisted_machine_counts_down_confirms_and_boots(kind: str, system: StandIn, current: Path) -> None:
    with Lab() as lab:
        daemon = serve(lab, system, current).start()
        joining = boot(lab, kind)
        assert COUNTING in joining.console
        assert "ERASE ITS DISK" in joining.console
        assert "config.yaml" in joining.config_url
        assert daemon.stop() == 0, daemon.tail()
        assert assigned(lab) == [
            ("arda-01", "arda", "controlplane", "installing", 'rule 1 "PCs" of fleet.yaml')
        ]
        assert {"countdown", "talos", "arda-01/config.yaml"} <= {detail for (detail,) in events(lab)}


def test_key_pressed_during_the_countdown_boots_the_disk(system: StandIn, current: Path) -> None:
    with Lab() as lab:
        daemon = serve(lab, system, current).start()
        (machine,) = switch_on_all(lab, ["bios"])
        machine.shows(COUNTING, BOOT_SECONDS)
        machine.press("spc")
        boots_disk_after(machine, r"booting from its own disk\.")
        assert daemon.stop() == 0, daemon.tail()
        assert assigned(lab) == []
        directive = inventory_rows(lab.namespace, "SELECT intent, intent_by FROM machines")
        assert directive == [("local", "somebody at its screen")]


@pytest.mark.long  # tests/provisioning/test_trust.py has the same without firmware
def test_machine_that_a_new_daemon_has_not_seen_shows_itself_and_boots(
    system: StandIn, current: Path
) -> None:
    """It waited when the daemon ended; the next one knows nothing of its DHCP, and gives no ticket before."""
    with Lab() as lab:
        server = serve(lab, system, current)
        server.write_fleet({"fleet.yaml": b"domain: lab.home.arpa\n"})
        daemon = server.start()
        (machine,) = switch_on_all(lab, ["bios"])
        machine.shows("Asking again in 30 seconds", BOOT_SECONDS)
        assert daemon.stop() == 0, daemon.tail()
        listed = f'match: {{macs: ["{mac_of(1)}"]}}\nrole: worker\n'
        server.write_fleet({"machines/one.yaml": listed.encode()})
        server.start()
        machine.press("spc")
        machine.shows("is not verified", BOOT_SECONDS)
        machine.shows(r"one: starting Talos", BOOT_SECONDS)
        machine.console.wait_for(r"^LAB config-url=", BOOT_SECONDS)


def serve(lab: Lab, system: StandIn, current: Path) -> Server:
    server = Server(lab.network, current)
    offer_system(lab.namespace, server, system)
    layer = lab.namespace.outside(server.fleet) / "layers" / "arda.yaml"
    server.write_fleet(CONFIGS | {"layers/arda.yaml": layer.read_bytes() + ROLES})
    return server


def assigned(lab: Lab) -> list[tuple[Any, ...]]:
    columns = "a.name, a.layer, a.role, m.phase, a.rule"
    return inventory_rows(
        lab.namespace, f"SELECT {columns} FROM assignments AS a JOIN machines AS m ON m.id = a.machine_id"
    )


def events(lab: Lab) -> list[tuple[Any, ...]]:
    return inventory_rows(lab.namespace, "SELECT detail FROM boot_events")
