"""Snapshots: persistent, and equal to what a plain dictionary of machines says, whatever changes in which order."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.machines import machine_of

from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.hardware import hardware_of, swapped
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.raspberry_pi import same_serial, serial_key
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace

A, B = "52:54:00:00:00:01", "52:54:00:00:00:02"
REAL = UUID("03de0294-0480-0506-f806-d50700080009")
PLACE = Assignment(
    name="arda-01", layer="arda", role=Role.WORKER, rule="rule 1", at=datetime(2026, 1, 1, tzinfo=UTC)
)


def test_a_change_leaves_the_old_snapshot_as_it_was() -> None:
    before = Snapshot.of([machine_of(A, id=UUID(int=1))])
    after = before.with_machine(machine_of(B, id=UUID(int=1))).without(UUID(int=1))
    assert before.machine(A) == machine_of(A, id=UUID(int=1))
    assert after == Snapshot()
    assert before.without(UUID(int=2)) is before


def test_a_machine_is_found_by_any_card_its_id_and_its_name() -> None:
    machine = machine_of(A, B, id=UUID(int=1), assignment=PLACE)
    snapshot = Snapshot.of((machine, machine_of("52:54:00:00:00:03", id=UUID(int=2))))
    assert snapshot.machine(A) is snapshot.machine(B) is machine
    assert snapshot.machine_with_id(UUID(int=1)) is machine
    assert snapshot.named("arda-01") is machine
    assert (snapshot.machine("none"), snapshot.machine_with_id(UUID(int=3)), snapshot.named("x")) == (
        None,
    ) * 3


@pytest.mark.parametrize("uuid", [REAL, swapped(REAL)])
def test_the_same_hardware_is_found_in_either_byte_order(uuid: UUID) -> None:
    machine = machine_of(A, uuid=REAL, serial="CZ1", product="EliteDesk")
    assert Snapshot.of([machine]).with_hardware(hardware_of(replace(machine, uuid=uuid))) == (machine,)
    assert Snapshot.of([machine]).with_hardware(None) == ()


def test_a_pi_is_found_by_its_serial_number_in_any_form() -> None:
    short, reverse = "b66c4c16", "164c6cb6"
    pis = [
        machine_of(f"b8:27:eb:00:00:{number:02x}", serial=serial, id=UUID(int=number))
        for number, serial in enumerate((short, reverse, f"10000000{short}", f"20000000{reverse}", "PF", ""))
    ]
    snapshot = Snapshot.of(pis)
    for serial in (*(one.serial for one in pis), f"30000000{short}", "pf"):
        same = tuple(one for one in pis if one.serial and same_serial(one.serial, serial))
        assert snapshot.with_serial(serial) == same, serial


def test_a_title_is_the_name_or_the_first_card() -> None:
    assert machine_of(A, B).title == A
    assert machine_of(A, B, assignment=PLACE).title == "arda-01"


@pytest.mark.parametrize(
    ("machine", "transient"),
    [
        pytest.param(machine_of(A), True, id="asked by DHCP once"),
        pytest.param(machine_of(A, furthest=Stage.IPXE_DISCOVER), True, id="iPXE asked by DHCP"),
        pytest.param(machine_of(A, furthest=Stage.FIRST_SCRIPT), False, id="came further, some time"),
        pytest.param(machine_of(A, phase=Phase.ASSIGNED), False, id="assigned"),
        pytest.param(machine_of(A, assignment=PLACE), False, id="has a name"),
        pytest.param(
            machine_of(A, directive=Directive(Intent.HOLD)), False, id="somebody wants something of it"
        ),
        pytest.param(machine_of(A, conflict="in doubt"), False, id="in doubt"),
    ],
)
def test_who_merely_passed_by(machine: Machine, transient: bool) -> None:  # noqa: FBT001
    assert machine.transient is transient


@dataclass
class Model:
    """What a snapshot must say: machines by id, each MAC of one machine only."""

    machines: dict[UUID, Machine] = field(default_factory=dict)

    def put(self, machine: Machine) -> list[Machine | UUID]:
        """Put a machine, and return what else changes by it: those that lose cards, and the ids of those that end."""
        changed: list[Machine | UUID] = []
        for other in list(self.machines.values()):
            left = tuple(mac for mac in other.macs if mac not in machine.macs)
            if other.id == machine.id or left == other.macs:
                continue
            if left:
                self.machines[other.id] = replace(other, macs=left)
                changed.append(self.machines[other.id])
            else:
                changed.append(self.machines.pop(other.id).id)
        self.machines[machine.id] = machine
        return [*changed, machine]


CARDS = st.lists(
    st.sampled_from([f"52:54:00:00:00:0{number}" for number in range(6)]), min_size=1, unique=True
)
IDS = st.sampled_from([UUID(int=number) for number in range(1, 6)])
UUIDS = st.sampled_from([None, REAL, swapped(REAL), UUID(int=7), UUID(int=0)])


class SnapshotAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.snapshot = Snapshot()

    @rule(
        id_=IDS,
        macs=CARDS,
        uuid=UUIDS,
        serial=st.sampled_from(["", "CZ1", "None", "b66c4c16", "10000000164c6cb6"]),
        data=st.data(),
    )
    def put(self, id_: UUID, macs: list[str], uuid: UUID | None, serial: str, data: st.DataObject) -> None:
        machine = machine_of(*macs, id=id_, uuid=uuid, serial=serial, product="EliteDesk")
        for change in data.draw(st.permutations(self.model.put(machine))):
            if isinstance(change, UUID):
                self.snapshot = self.snapshot.without(change)
            else:
                self.snapshot = self.snapshot.with_machine(change)

    @rule(id_=IDS)
    def drop(self, id_: UUID) -> None:
        self.model.machines.pop(id_, None)
        self.snapshot = self.snapshot.without(id_)

    @invariant()
    def agrees(self) -> None:
        machines = self.model.machines
        assert dict(self.snapshot.by_id.items()) == machines
        owners = {mac: one.id for one in machines.values() for mac in one.macs}
        assert dict(self.snapshot.owners.items()) == owners
        twins: dict[object, set[UUID]] = {}
        for one in machines.values():
            if hardware := hardware_of(one):
                twins.setdefault(hardware, set()).add(one.id)
        assert dict(self.snapshot.twins.items()) == twins
        serials: dict[str, set[UUID]] = {}
        for one in machines.values():
            if one.serial:
                serials.setdefault(serial_key(one.serial), set()).add(one.id)
        assert {serial: set(ids) for serial, ids in self.snapshot.serials.items()} == serials
        for one in machines.values():
            found = self.snapshot.with_hardware(hardware_of(one))
            assert (one in found) == (hardware_of(one) is not None)
        assert Snapshot.of(machines.values()) == self.snapshot


TestSnapshotAgainstModel = SnapshotAgainstModel.TestCase
TestSnapshotAgainstModel.settings = settings(max_examples=100)
