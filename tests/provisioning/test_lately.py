"""What is recorded is the same as if nobody remembered what was recorded before."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.booters import booters_of
from support.fleets import fleet_of

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.decide import Decision
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.inventory import inventory as inventory_module
from iluvatar_pxe.inventory import memory
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.repeats import FRESH
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.provisioning import lately
from iluvatar_pxe.provisioning.booter import Booter
from iluvatar_pxe.values import replace

MAC, OTHER = "52:54:00:77:00:01", "52:54:00:77:00:02"
HOLDING = fleet_of(("named", MAC, "chain: hold\n"))
BOTH = parse_fleet(
    {"fleet.yaml": "", "machines/both.yaml": f'match: {{macs: ["{MAC}", "{OTHER}"]}}\nintent: hold\n'}
)
NOWHERE = Path("/nonexistent")
DISCOVERS = [
    Sighting(mac=mac, firmware=firmware, from_nowhere=own)
    for mac in (MAC, OTHER)
    for firmware in (Firmware.UEFI_PXE, Firmware.IPXE)
    for own in (True, False)
]


class Side:
    """A booter whose DHCP server remembers its decisions; one that ``forgets`` remembers nothing that was recorded."""

    def __init__(self, *, forgets: bool) -> None:
        self.booter = booter_in(NOWHERE)
        self._forgets = forgets
        self._decided: dict[Sighting, Decision] = {}

    def ask(self, sighting: Sighting) -> None:
        if self._forgets:
            self.booter.journal._lately._fleet = None
        decision = self._decided.get(sighting)
        if decision is None or decision.case.machine is None:
            decision = self._decided[sighting] = self.booter.decide(sighting)
        stage = Stage.IPXE_DISCOVER if sighting.firmware is Firmware.IPXE else Stage.DISCOVER
        self.booter.journal.served(decision, stage, "a program")

    def fetch(self, mac: str) -> None:
        if machine := self.booter.inventory.snapshot.machine(mac):
            self.booter.journal.fetched(machine, Stage.NBP, "a program")

    def forget(self, mac: str) -> None:
        if machine := self.booter.inventory.snapshot.machine(mac):
            self.memory.remove(machine.id)

    def list_both(self) -> None:
        self.booter.applied.fleet = BOTH

    @property
    def memory(self) -> memory.Memory:
        assert isinstance(self.booter.inventory, Inventory)
        return self.booter.inventory._memory

    @property
    def known(self) -> object:
        machines = [
            replace(one, id=UUID(int=0), first_seen=memory.wall_clock(), last_seen=memory.wall_clock())
            for one in self.memory.snapshot.by_id.values()
        ]
        events = [(one.generation, one.stage, one.detail) for one in self.memory._pending.take().events]
        asked = len(self.memory._asked)
        return sorted(machines, key=lambda one: one.macs), events, asked


def booter_in(directory: Path, clock: Callable[[], float] = time.monotonic) -> Booter:
    inventory = Inventory(f"sqlite:///{directory}/inventory.db", clock)
    return booters_of(HOLDING, inventory, AssetStore(directory), lambda _: None).real


CHANGES: st.SearchStrategy[Callable[[Side], None]] = st.one_of(
    st.sampled_from(DISCOVERS).map(lambda sighting: lambda side: side.ask(sighting)),
    st.sampled_from([MAC, OTHER]).map(lambda mac: lambda side: side.fetch(mac)),
    st.sampled_from([MAC, OTHER]).map(lambda mac: lambda side: side.forget(mac)),
    st.just(Side.list_both),
)
STEPS = st.tuples(st.sampled_from(DISCOVERS), CHANGES)


@given(st.lists(STEPS, max_size=8), st.sampled_from([FRESH, timedelta(0)]))
def test_what_is_known_and_said_is_the_same(
    steps: Sequence[tuple[Sighting, Callable[[Side], None]]], fresh: timedelta
) -> None:
    now = memory.wall_clock()

    def told(*, forgets: bool) -> object:
        side = Side(forgets=forgets)
        with capture_logs() as lines:
            for sighting, change in steps:
                for _ in range(3):
                    side.ask(sighting)
                change(side)
                side.ask(sighting)
        return side.known, lines

    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(memory, "wall_clock", lambda: now)
        for module in (lately, memory):
            clock.setattr(module, "FRESH", fresh)
        assert told(forgets=False) == told(forgets=True)


def test_when_it_was_seen_is_known_to_the_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    booter = booter_in(tmp_path)
    began = memory.wall_clock() - timedelta(seconds=2)
    with monkeypatch.context() as earlier:
        earlier.setattr(inventory_module, "wall_clock", lambda: began)
        ask, _ = served(booter), served(booter)
        assert ask().last_seen == began
    assert ask().last_seen >= began + timedelta(seconds=2)


def test_what_repeats_itself_at_once_is_not_taken_in_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    booter, taken = booter_in(tmp_path), list[object]()
    served(booter)
    ask = served(booter)
    monkeypatch.setattr(Inventory, "touch", lambda *said, **_: taken.append(said))
    for _ in range(5):
        ask()
    assert not taken


def test_what_repeats_itself_later_is_only_heard_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = [0.0]
    booter = booter_in(tmp_path, lambda: now[0])
    served(booter)
    ask = served(booter)
    for module in (lately, memory):
        monkeypatch.setattr(module, "FRESH", timedelta(0))
    monkeypatch.setattr(Inventory, "touch", None)
    monkeypatch.setattr(Inventory, "observe", None)
    for _ in range(2):
        now[0] += 100
        machine = ask()
        assert machine is booter.inventory.snapshot.machine(MAC)
        assert booter.inventory.asked_within(machine.id, 1)


def served(booter: Booter) -> Callable[[], Machine]:
    """Decide about a machine, record that, and return what does it again."""
    decision = booter.decide(DISCOVERS[0])
    record = partial(booter.journal.served, decision, Stage.DISCOVER, "a program")
    record()
    return record
