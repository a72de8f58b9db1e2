"""Reports become the timeline of the machine that they come from, and of no other."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import ARDA, fleet_of
from support.machines import machine_of
from support.waiting import wait_until

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.api.model import UnmetCondition
from iluvatar_pxe.layers.arda.events import (
    Addresses,
    Body,
    ConfigurationFault,
    Event,
    Sequence,
)
from iluvatar_pxe.layers.arda.events import (
    Stage as TalosStage,
)
from iluvatar_pxe.layers.arda.kernel_log import KernelLogLine
from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import BootEvent, Machine
from iluvatar_pxe.machines.report import MOST_FAULTS, Report
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.talos_events import TalosEvents
from iluvatar_pxe.values import replace

ONE, TWO, PI = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
HERE, THERE, AT_PI, NOWHERE = (IPv4Address(f"10.77.0.{last}") for last in (1, 2, 3, 9))
FLEET = fleet_of(
    ("one", ONE, "layer: arda\nrole: worker\n"),
    ("two", TWO, "layer: arda\nrole: worker\n"),
    ("pi", PI, "layer: ainur\nrole: agent\n"),
    ainur="",
)
BEGINS = Sequence("initialize", "start", "", is_fatal=False)
INSTALLING, REBOOTING = (
    TalosStage("installing", is_ready=True, unmet=()),
    TalosStage("rebooting", is_ready=True, unmet=()),
)
RUNNING = TalosStage("running", is_ready=False, unmet=(UnmetCondition("nodeReady", "not yet"),))
READY = TalosStage("running", is_ready=True, unmet=())


class Site:
    """A daemon's inventory, and what machines at addresses report to it."""

    def __init__(self, file: Path, fleet: Fleet = FLEET) -> None:
        self.inventory = Inventory(f"sqlite:///{file}")
        self.applied = Applied(fleet)
        self.neighbours = {HERE: ONE, THERE: TWO, AT_PI: PI}
        self.events = TalosEvents(
            self.inventory, self.applied, Journal(self.inventory, self.applied), self.neighbours.get
        )
        self.seq = 0

    def boots(self, *stages: Stage, mac: str = ONE) -> None:
        for stage in stages:
            chain = "talos" if stage is Stage.SCRIPT else ""
            self.inventory.observe(Sighting(mac=mac, firmware=Firmware.UEFI_PXE), stage, chain=chain)

    def fetches(self, mac: str = ONE) -> None:
        self.boots(Stage.DISCOVER, Stage.SCRIPT, Stage.KERNEL, Stage.INITRAMFS, Stage.CONFIG, mac=mac)

    def tells(self, *told: Body | tuple[str, Body] | str, address: IPv4Address = HERE) -> Machine:
        for one in told:
            self.seq += 1
            if isinstance(one, str):
                line = KernelLogLine(f"[talos] {one}\n", self.seq, self.seq, "user", "info", None)
                self.events.take_line(address, line)
            else:
                id_, body = one if isinstance(one, tuple) else (f"event-{self.seq}", one)
                self.events.take_event(address, Event(id_, "", body))
        return self.machine()

    def machine(self, mac: str = ONE) -> Machine:
        found = self.inventory.snapshot.machine(mac)
        assert found
        return found

    def timeline(self, boot: int) -> list[tuple[Stage | Happening, str]]:
        events: list[BootEvent] = list(self.inventory._pending._events)
        return [(one.stage, one.detail) for one in events if one.generation == boot]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "inventory.db")


def test_the_timeline_of_a_machine_that_installs_1_14_and_boots_its_disk(site: Site) -> None:
    site.fetches()
    site.tells(("first", BEGINS), 'installing Talos {"disk": "/dev/sda", "image": "i:v1"}')
    assert site.machine().phase is Phase.INSTALLING
    assert site.tells("install successful").phase is Phase.INSTALLED
    assert site.tells(REBOOTING).generation == 1
    machine = site.tells(("second", BEGINS), RUNNING)
    assert (machine.generation, machine.reached, machine.phase) == (2, Stage.RUNNING, Phase.INSTALLED)
    machine = site.tells(READY)
    assert (machine.phase, machine.address) == (Phase.JOINED, HERE)
    assert site.timeline(1)[5:] == [
        (Stage.STARTED, ""),
        (Stage.INSTALLING, "i:v1 on /dev/sda"),
        (Stage.INSTALLED, ""),
        (Happening.RESTARTING, "rebooting"),
    ]
    assert site.timeline(2) == [
        (Stage.STARTED, ""),
        (Stage.RUNNING, "not ready: nodeReady: not yet"),
        (Stage.JOINED, ""),
    ]


def test_a_boot_that_the_network_sent_to_the_disk_is_that_boot(site: Site) -> None:
    site.fetches()
    site.tells(("first", BEGINS), INSTALLING, REBOOTING)
    site.boots(Stage.DISCOVER, Stage.IPXE_DISCOVER)
    machine = site.tells(("second", BEGINS), READY)
    assert (machine.generation, machine.phase) == (2, Phase.JOINED)
    machine = site.tells(("third", BEGINS), READY)
    assert (machine.generation, machine.phase) == (3, Phase.JOINED)


def test_a_kernel_log_that_is_quicker_than_the_events_begins_no_boot(site: Site) -> None:
    site.fetches()
    machine = site.tells("installing Talos", ("first", BEGINS))
    assert (machine.generation, machine.reached, machine.report.start) == (1, Stage.INSTALLING, "first")


async def test_what_is_sent_again_to_a_daemon_that_was_restarted_changes_nothing(tmp_path: Path) -> None:
    told = (("first", BEGINS), ConfigurationFault("oh"), "install successful", REBOOTING)
    again = (("second", BEGINS), ConfigurationFault("no"), "task x failed", RUNNING)
    site = Site(tmp_path / "inventory.db")
    await site.inventory.open()
    site.fetches()
    site.tells(*told, *again)
    before = site.machine()
    await site.inventory.close()
    site = Site(tmp_path / "inventory.db")
    await site.inventory.open()
    after = site.tells(*again)
    assert site.timeline(1) + site.timeline(2) == []
    assert replace(after, last_seen=before.last_seen) == before
    assert before.report == Report("second", 2, ("configuration: no", "task x failed"))
    await site.inventory.close()


@pytest.mark.parametrize(
    ("version", "fault", "phase"),
    [
        pytest.param("v1.13.9", None, Phase.INSTALLED, id="1.13"),
        pytest.param("v1.13.9", ConfigurationFault("no disk"), Phase.INSTALLING, id="1.13 after a fault"),
        pytest.param("v1.14.1", None, Phase.INSTALLING, id="1.14, which tells it in its log"),
    ],
)
async def test_a_daemon_that_is_restarted_during_an_install_knows_what_a_restart_means(
    tmp_path: Path, version: str, fault: Body | None, phase: Phase
) -> None:
    arda = ARDA.replace("v1.13.9", version)
    fleet = fleet_of(("one", ONE, "layer: arda\nrole: worker\n"), arda=arda)
    site = Site(tmp_path / "inventory.db", fleet)
    await site.inventory.open()
    site.fetches()
    site.tells(("first", BEGINS), INSTALLING, *([fault] if fault else []))
    await site.inventory.close()
    site = Site(tmp_path / "inventory.db", fleet)
    await site.inventory.open()
    assert site.tells(REBOOTING).phase is phase
    await site.inventory.close()


def test_faults_are_told_in_the_machines_own_words_without_its_ticket(site: Site) -> None:
    site.fetches()
    fault = ConfigurationFault(f"GET http://10.0.0.1/talos/{'A' * 48}/config.yaml:\x1b[2J 404")
    with capture_logs() as logs:
        site.tells(("first", BEGINS), fault, fault)
    (words,) = site.machine().report.faults
    assert words.startswith("configuration: GET http:")
    assert words.endswith("404")
    assert words.isprintable()
    assert [one["reported"] for one in logs if one["event"] == "machine.fault"] == [words]
    assert "A" * 48 not in str(logs)
    assert site.timeline(1)[-1] == (Happening.FAULT, words)


def test_faults_are_bounded(site: Site) -> None:
    site.fetches()
    machine = site.tells(*(ConfigurationFault(f"number {number} {'x' * 2000}") for number in range(300)))
    assert len(machine.report.faults) == MOST_FAULTS
    assert sum(stage is Happening.FAULT for stage, _ in site.timeline(1)) < 100


def test_each_change_is_one_log_line(site: Site) -> None:
    site.fetches()
    with capture_logs() as logs:
        site.tells(("first", BEGINS), INSTALLING, INSTALLING, "installing Talos", REBOOTING, READY, READY)
    told = [(one["stage"], one["machine"]) for one in logs if one["event"] == "boot"]
    assert told == [(stage, "one") for stage in ("started", "installing", "installed", "joined")]
    assert [one["reported"] for one in logs if one["event"] == "machine.restarting"] == ["rebooting"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (NOWHERE, "no machine of the fleet has that address"),
        (AT_PI, "it is in no layer of kind talos"),
    ],
)
def test_strangers_are_refused_with_a_log_line(site: Site, address: IPv4Address, why: str) -> None:
    site.fetches()
    site.fetches(PI)
    before = site.inventory.snapshot
    with capture_logs() as logs:

        def is_told() -> bool:
            site.tells(READY, "install successful", address=address)
            return why in [one["why"] for one in logs if one["event"] == "talos.distrusted"]

        wait_until(is_told, "the line")
    assert site.inventory.snapshot is before


def test_a_machine_in_conflict_is_refused(site: Site) -> None:
    site.fetches()
    site.inventory._memory.put(replace(site.machine(), conflict="two of them"))
    assert site.tells(READY).phase is Phase.INSTALLING


def test_a_machine_that_reports_what_another_one_does_is_refused_until_it_tells_its_own_address(
    site: Site,
) -> None:
    site.fetches()
    site.fetches(TWO)
    machine = site.tells(Addresses("two", (str(THERE), "fe80::1", "nonsense")), READY)
    assert machine.phase is Phase.INSTALLING
    assert site.machine(TWO).phase is Phase.INSTALLING
    assert site.timeline(1).count((Happening.UNTRUSTED, f"a report from {HERE}")) == 1
    assert site.tells(Addresses("one", (str(HERE), str(THERE))), READY).phase is Phase.JOINED


def test_an_address_that_it_has_had_before_makes_no_liar(site: Site) -> None:
    site.fetches()
    assert site.tells(Addresses("one", (str(NOWHERE),)), READY).phase is Phase.JOINED


def test_talos_that_comes_up_by_a_nic_that_only_firmware_lists_is_that_machine(site: Site) -> None:
    site.fetches()
    site.inventory._memory.put(replace(site.machine(), claimed=("52:54:00:00:00:11",)))
    site.neighbours[NOWHERE] = "52:54:00:00:00:11"
    assert site.tells(READY, address=NOWHERE).phase is Phase.JOINED
    assert site.machine().macs == (ONE,)


def test_a_machine_that_was_never_seen_is_nobody(tmp_path: Path) -> None:
    site = Site(tmp_path / "inventory.db")
    site.events.take_event(HERE, Event("a", "", READY))
    assert len(site.inventory.snapshot.by_id) == 0


def test_a_machine_of_no_layer_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path / "inventory.db", fleet_of())
    site.inventory._memory.put(machine_of(ONE, reached=Stage.CONFIG, furthest=Stage.CONFIG))
    assert site.tells(READY).phase is Phase.DISCOVERED
