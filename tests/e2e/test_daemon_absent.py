"""The daemon ends in the middle of a boot: the machine goes on by itself when it is back, or else to its disk."""

import hashlib
import signal
from pathlib import Path

import pytest
from e2e.side_by_side import boots_disk_after, mac_of, switch_on_all

from bench.lab_boot import Listed, offer_system
from iluvatar_pxe.lab.daemon import Server
from iluvatar_pxe.lab.room.lab import BOOT_SECONDS, Lab
from iluvatar_pxe.lab.system.kernel import StandIn
from iluvatar_pxe.replies.ipxe import MOST_UNANSWERED

pytestmark = pytest.mark.firmware

CONFIG = b"version: v1alpha1\n"
KERNEL_MISSED = r"Download failed\. Trying again in 5 seconds \( 1 of 10 \)"
NO_ANSWER = r"No answer from http://10\.77\.0\.2:8080"
SCRIPT_RUNS = r"Next: kernel"
FIRST_SCRIPT_RUNS = r"iluvatar-pxe at 10\.77\.0\.2"
TRIES_SECONDS = 600.0
LAST_WORDS = r"Giving up\. This machine goes on to the next entry of its boot order\."


@pytest.mark.parametrize("kind", ["bios", pytest.param("uefi-x64-http", marks=pytest.mark.long)])
def test_killed_between_script_and_kernel_and_started_again(
    system: StandIn, current: Path, kind: str
) -> None:
    with Lab() as lab:
        server = Server(lab.network, current)
        offer_system(lab.namespace, server, system)
        server.write_fleet(Listed(mac_of(1), CONFIG).files)
        daemon = server.start()
        (machine,) = switch_on_all(lab, [kind])
        machine.shows(SCRIPT_RUNS, BOOT_SECONDS)
        daemon.stop(how=signal.SIGKILL)
        machine.shows(KERNEL_MISSED, BOOT_SECONDS)
        server.start()
        fetched = machine.console.wait_for(r"^LAB (?:failed=|config-url=\S+ sha256=(\S+))", BOOT_SECONDS)
        assert fetched[1] == hashlib.sha256(CONFIG).hexdigest(), machine.screen


@pytest.mark.parametrize("kind", ["bios", pytest.param("uefi-x64", marks=pytest.mark.long)])
def test_held_machines_are_told_and_go_on_when_a_daemon_is_there_again(current: Path, kind: str) -> None:
    """One of them has asked in vain so often that it restarts: another daemon of the fleet may be there."""
    keys = "".join(f"  {name}: age1{name[-1] * 58}\n" for name in ("pi-q", "pi-p"))
    with Lab() as lab:
        server = Server(lab.network, current)
        server.write_fleet(
            {
                "fleet.yaml": b"rules: [{match: {product: Lab}, intent: hold}]\n",
                "recipients.yaml": f"daemons:\n{keys}".encode(),
            }
        )
        daemon = server.start()
        machines = switch_on_all(lab, [kind, "bios"])
        for machine in machines:
            machine.shows("Asking again in", BOOT_SECONDS)
        assert daemon.stop() == 0, daemon.tail()
        for machine in machines:
            machine.press("spc")
            machine.shows(NO_ANSWER, BOOT_SECONDS)
        lost = machines.pop()
        for tries in range(2, MOST_UNANSWERED + 1):
            lost.shows(rf"(?s)(No answer.*){{{tries - 1}}}asks now", BOOT_SECONDS)
            lost.press("spc")
        assert lost.console.ends_within(BOOT_SECONDS), "the lab's machines end where others restart"
        file = f'match: {{macs: ["{mac_of(1)}"]}}\nchain: local\n'
        server.write_fleet({"machines/m1.yaml": file.encode()})
        server.start()
        (machine,) = machines
        machine.press("spc")
        boots_disk_after(machine, "from its own disk")


@pytest.mark.long
def test_cable_pulled_in_the_middle_of_the_kernel_and_put_in_again(system: StandIn) -> None:
    with Lab() as lab:
        server = Server(lab.network)
        offer_system(lab.namespace, server, system)
        server.write_fleet(Listed(mac_of(1), CONFIG).files)
        server.start()
        (machine,) = switch_on_all(lab, ["bios"])
        machine.shows(r"kernel-amd64\.\.\.", BOOT_SECONDS)
        cable_of_the_server(lab, "down")
        machine.shows(KERNEL_MISSED, BOOT_SECONDS)
        cable_of_the_server(lab, "up")
        machine.console.wait_for(r"^LAB config-url=", BOOT_SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("cut_off", [False, True], ids=["refusing", "cut off"])
@pytest.mark.parametrize(
    ("kind", "own_programs", "last_seen"),
    [
        ("bios", False, SCRIPT_RUNS),
        ("uefi-x64", True, SCRIPT_RUNS),
        ("uefi-x64-http", False, SCRIPT_RUNS),
        ("uefi-x64", False, FIRST_SCRIPT_RUNS),
    ],
    ids=["bios", "uefi-x64, installed iPXE", "uefi-x64-http", "uefi-x64, no script"],
)
def test_daemon_that_never_comes_back(
    system: StandIn, current: Path, kind: str, last_seen: str, *, own_programs: bool, cut_off: bool
) -> None:
    with Lab() as lab:
        server = Server(lab.network, None if own_programs else current)
        offer_system(lab.namespace, server, system)
        server.write_fleet(Listed(mac_of(1), CONFIG).files)
        daemon = server.start()
        (machine,) = switch_on_all(lab, [kind])
        machine.shows(last_seen, BOOT_SECONDS)
        daemon.stop(how=signal.SIGKILL)
        if cut_off:
            cable_of_the_server(lab, "down")
        machine.shows(LAST_WORDS, TRIES_SECONDS)
        boots_disk_after(machine, LAST_WORDS)


def cable_of_the_server(lab: Lab, state: str) -> None:
    """Put in ("up") or pull ("down") the server's network cable."""
    lab.namespace.run(["ip", "link", "set", "server", state])
