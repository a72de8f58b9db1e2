"""Boots are counted once for each outcome, and their stages are timed."""

import pytest
from support.machines import machine_of

from iluvatar_pxe.boot.plan import BootLocal, Hold, Plan, RunScript
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.provisioning.boot_meter import MOST_LAYERS, BootMeter, BootOutcome
from iluvatar_pxe.values import replace

TALOS = RunScript(why="", chain="talos", name="one", template="")
SCRIPT = RunScript(why="", chain="ipxe", name="one", template="")
HOLD = Hold(why="", name="one", screen=())
LOCAL = BootLocal(why="", name="one", method=None)
TO_CONFIG = (Stage.DISCOVER, Stage.IPXE_DISCOVER, Stage.SCRIPT, Stage.KERNEL, Stage.INITRAMFS, Stage.CONFIG)
TO_CLUSTER = (*TO_CONFIG, Stage.STARTED, Stage.INSTALLING, Stage.RUNNING, Stage.JOINED)


class Watched:
    """A meter with a machine whose stages are a second apart."""

    def __init__(self, *, simulated: bool = False) -> None:
        self.now = 0.0
        self.meter = BootMeter(lambda: self.now, simulated=simulated)
        self.machine = machine_of("52:54:00:00:00:01", generation=0)

    def boots(self, *stages: Stage, plan: Plan = TALOS, phase: Phase = Phase.BOOTING) -> None:
        self.machine = replace(self.machine, generation=self.machine.generation + 1, phase=phase)
        for stage in stages:
            self.reaches(self.machine, stage, plan)

    def reaches(self, machine: Machine, stage: Stage, plan: Plan, layer: str = "arda") -> None:
        self.now += 1
        told = plan if stage <= Stage.CONFIRM else None
        self.meter.reached(machine, stage, lambda: layer, told)

    @property
    def outcomes(self) -> dict[tuple[str, str, BootOutcome], int]:
        return dict(self.meter.ended)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_boot_that_joins(watched: Watched) -> None:
    watched.boots(*TO_CLUSTER)
    assert watched.meter.started == {("arda", "talos"): 1}
    assert watched.outcomes == {("arda", "talos", BootOutcome.JOINED): 1}
    assert watched.meter.whole["arda", "talos"].sum == len(TO_CLUSTER) - 1
    timed = watched.meter.stages
    assert {stage: (sum(one.counts), one.sum) for stage, one in timed.items()} == dict.fromkeys(
        TO_CLUSTER[1:], (1, 1.0)
    )


def test_a_file_that_is_there_before_its_end_is_known_is_timed_as_well(watched: Watched) -> None:
    watched.boots(Stage.DISCOVER, Stage.SCRIPT)
    with watched.meter.sending(watched.machine, Stage.KERNEL):
        watched.reaches(watched.machine, Stage.CONFIG, TALOS)
        watched.reaches(watched.machine, Stage.KERNEL, TALOS)
    watched.reaches(watched.machine, Stage.STARTED, TALOS)
    timed = {stage: (sum(one.counts), one.sum) for stage, one in watched.meter.stages.items()}
    assert timed == {
        Stage.SCRIPT: (1, 1.0),
        Stage.KERNEL: (1, 1.0),
        Stage.CONFIG: (1, 0.0),
        Stage.STARTED: (1, 2.0),
    }


def test_a_boot_that_installs_is_followed_by_one_from_the_disk(watched: Watched) -> None:
    watched.boots(*TO_CONFIG, Stage.STARTED, Stage.INSTALLED)
    assert not watched.outcomes
    watched.boots(Stage.STARTED, Stage.RUNNING, Stage.JOINED)
    assert watched.outcomes == {
        ("arda", "talos", BootOutcome.INSTALLED): 1,
        ("arda", "disk", BootOutcome.JOINED): 1,
    }


def test_boots_without_an_end_are_known_as_such_when_the_next_begins(watched: Watched) -> None:
    for _ in range(3):
        watched.boots(*TO_CONFIG)
    watched.boots(Stage.DISCOVER, Stage.SCRIPT, plan=HOLD, phase=Phase.FAILED)
    assert watched.meter.started == {("arda", "talos"): 3}
    assert watched.outcomes == {
        ("arda", "talos", BootOutcome.UNFINISHED): 3,
        ("arda", "", BootOutcome.LOOP): 1,
    }


def test_a_machine_that_waits_and_is_let_go_on(watched: Watched) -> None:
    watched.boots(Stage.DISCOVER, Stage.SCRIPT, plan=HOLD)
    watched.reaches(watched.machine, Stage.SCRIPT, HOLD)
    for stage in TO_CLUSTER[2:]:
        watched.reaches(watched.machine, stage, TALOS)
    assert watched.outcomes == {
        ("arda", "", BootOutcome.HELD): 1,
        ("arda", "talos", BootOutcome.JOINED): 1,
    }


@pytest.mark.parametrize(
    ("plan", "chain", "outcome"), [(LOCAL, "", BootOutcome.LOCAL), (SCRIPT, "ipxe", BootOutcome.SCRIPT)]
)
def test_what_ends_with_the_script(watched: Watched, plan: Plan, chain: str, outcome: BootOutcome) -> None:
    watched.boots(Stage.DISCOVER, Stage.SCRIPT, plan=plan)
    watched.boots(Stage.DISCOVER)
    assert watched.outcomes == {("arda", chain, outcome): 1}


def test_a_machine_that_only_asks_by_dhcp_has_no_boots(watched: Watched) -> None:
    for _ in range(3):
        watched.boots(Stage.DISCOVER, Stage.BOOT_SERVER)
    assert not watched.meter.started
    assert not watched.outcomes


def test_a_boot_whose_beginning_was_missed_is_not_counted(watched: Watched) -> None:
    watched.boots(Stage.KERNEL, Stage.CONFIG, Stage.STARTED, Stage.JOINED)
    assert not watched.meter.started
    assert not watched.outcomes


def test_a_simulated_boot_ends_where_nothing_more_is_fetched() -> None:
    watched = Watched(simulated=True)
    watched.boots(*TO_CONFIG)
    assert watched.outcomes == {("arda", "talos", BootOutcome.FETCHED): 1}


def test_renamed_layers_make_no_more_series_than_a_bound(watched: Watched) -> None:
    for number in range(2 * MOST_LAYERS):
        watched.machine = replace(watched.machine, generation=number + 1)
        watched.reaches(watched.machine, Stage.SCRIPT, TALOS, layer=f"layer-{number}")
    assert len(watched.meter.started) == MOST_LAYERS + 1
    assert watched.meter.started["", "talos"] == MOST_LAYERS
