"""Which name and role a machine gets: each once, whoever comes, goes and is forgotten."""

from datetime import UTC, datetime
from uuid import NAMESPACE_DNS, UUID, uuid5

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.fleets import ARDA, fleet_of
from support.machines import machine_of

from iluvatar_pxe.boot.assign import PlaceRequest, Reservation, Taken, assignment_for, leader_names, taken_by
from iluvatar_pxe.machines.states import Assignment, Role
from iluvatar_pxe.values import replace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARDA_LAYER, AINUR_LAYER = "arda", "ainur"


def place_in(
    layer: str = ARDA_LAYER,
    name: str | None = None,
    role: Role | None = None,
    *,
    may_lead: bool = True,
) -> PlaceRequest:
    return PlaceRequest(layer=layer, name=name, role=role, may_lead=may_lead, rule="rule 1 of fleet.yaml")


def taken(name: str, role: Role, layer: str = ARDA_LAYER, *, forgotten: bool = False) -> Reservation:
    machine_id = None if forgotten else uuid5(NAMESPACE_DNS, name)
    return Reservation(name=name, layer=layer, role=role, machine_id=machine_id)


def given(
    place: PlaceRequest, *held: Reservation, arda: str = "", ainur: str | None = "", machines: str = ""
) -> str:
    listed = [
        (name, f"52:54:00:00:01:{number:02x}", f"chain: local\n{lines}\n")
        for number, (name, _, lines) in enumerate(text.partition(" ") for text in machines.split(";") if text)
    ]
    fleet = fleet_of(*listed, arda=ARDA + arda, ainur=ainur)
    assignment = assignment_for(place, fleet, held, NOW)
    assert (assignment.layer, assignment.rule, assignment.at) == (place.layer, place.rule, NOW)
    return f"{assignment.name} {assignment.role}"


def test_the_assignments_of_machines_are_taken() -> None:
    given_to = Assignment(name="arda-01", layer=ARDA_LAYER, role=Role.CONTROLPLANE, rule="", at=NOW)
    one, new = machine_of("52:54:00:00:00:01", assignment=given_to), machine_of("52:54:00:00:00:02")
    expected = Reservation(name="arda-01", layer=ARDA_LAYER, role=Role.CONTROLPLANE, machine_id=one.id)
    assert taken_by([one, new]) == [expected]


def test_those_that_lead_are_counted_by_file_and_by_what_they_were_given() -> None:
    fleet = fleet_of(
        ("a", "52:54:00:00:00:01", "role: controlplane\nchain: local\n"),
        ("b", "52:54:00:00:00:02", "role: worker\nchain: local\n"),
        ("c", "52:54:00:00:00:03", "layer: ainur\nrole: server\nchain: local\n"),
        ainur="",
    )
    held = [taken("a", Role.CONTROLPLANE), taken("d", Role.CONTROLPLANE), taken("e", Role.WORKER)]
    assert leader_names(ARDA_LAYER, fleet, held) == {"a", "d"}
    assert leader_names(AINUR_LAYER, fleet, held) == {"c"}


LEADER, FOLLOWER = taken("arda-01", Role.CONTROLPLANE), taken("arda-02", Role.WORKER)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([], "arda-01 controlplane"),
        ([LEADER], "arda-02 worker"),
        ([LEADER, FOLLOWER], "arda-03 worker"),
        ([FOLLOWER], "arda-01 controlplane"),
        ([taken("ainur-01", Role.SERVER, AINUR_LAYER)], "arda-01 controlplane"),
        ([taken("arda-01", Role.SERVER, AINUR_LAYER)], "arda-02 controlplane"),
        ([taken("old", Role.CONTROLPLANE)], "arda-01 worker"),
        ([taken(f"arda-{number:02}", Role.WORKER) for number in range(1, 100)], "arda-100 controlplane"),
    ],
)
def test_the_first_free_name_and_the_first_machines_lead(held: list[Reservation], expected: str) -> None:
    assert given(place_in(), *held) == expected


def test_nothing_of_its_own_is_taken_from_a_machine_that_asks_in_any_order() -> None:
    fleet = fleet_of(("boss", "52:54:00:00:01:01", "layer: ainur\nrole: server\n"), ainur="servers: 1\n")
    spare = taken("arda-03", Role.CONTROLPLANE)
    held = [
        LEADER,
        FOLLOWER,
        spare,
        taken("boss", Role.SERVER, AINUR_LAYER),
        taken("old", Role.WORKER, forgotten=True),
    ]
    counted = Taken(fleet, held)
    for one in (None, spare, LEADER, None, FOLLOWER, *held, LEADER):
        machine_id = one.machine_id if one else None
        others = [other for other in held if machine_id is None or other.machine_id != machine_id]
        for layer in (ARDA_LAYER, AINUR_LAYER):
            place = place_in(layer)
            assert counted.assignment(place, machine_id, NOW) == assignment_for(place, fleet, others, NOW)


def test_what_the_place_names_is_given() -> None:
    assert given(place_in(name="nas", role=Role.WORKER)) == "nas worker"
    assert given(place_in(name="nas"), LEADER) == "nas worker"
    assert given(place_in(role=Role.CONTROLPLANE), LEADER) == "arda-02 controlplane"
    assert given(place_in(may_lead=False)) == "arda-01 worker"


@pytest.mark.parametrize(
    ("layer", "keys", "expected"),
    [
        (ARDA_LAYER, {"arda": "controlPlanes: 3\n"}, "arda-02 controlplane"),
        (ARDA_LAYER, {"arda": "names: n#-x\n"}, "n1-x worker"),
        (AINUR_LAYER, {}, "ainur-01 server"),
        (AINUR_LAYER, {"ainur": "names: pi####\n"}, "pi0001 server"),
    ],
)
def test_each_layer_has_its_names_and_its_leaders(layer: str, keys: dict[str, str], expected: str) -> None:
    assert given(place_in(layer), LEADER, **keys) == expected


def test_listed_machines_count_before_they_are_seen() -> None:
    assert given(place_in(), machines="arda-01;arda-03") == "arda-02 controlplane"
    assert given(place_in(), machines="boss role: controlplane") == "arda-01 worker"
    boss = taken("boss", Role.CONTROLPLANE)
    both = given(place_in(), boss, arda="controlPlanes: 3\n", machines="boss role: controlplane")
    assert both == "arda-01 controlplane", "one machine is counted once"
    assert given(place_in(AINUR_LAYER), machines="boss role: controlplane") == "ainur-01 server"


def test_a_forgotten_machines_name_and_role_are_free_when_its_layer_says_so() -> None:
    gone = taken("arda-01", Role.CONTROLPLANE, forgotten=True)
    assert given(place_in(), gone) == "arda-02 worker"
    assert given(place_in(), gone, arda="reuseNames: [arda-01]\n") == "arda-01 controlplane"
    assert given(place_in(), gone, ainur="reuseNames: [arda-01]\n") == "arda-02 worker"
    assert given(place_in(), LEADER, arda="reuseNames: [arda-01]\n") == "arda-02 worker", "it is in use"
    other = taken("arda-01", Role.SERVER, AINUR_LAYER, forgotten=True)
    assert given(place_in(), other, arda="reuseNames: [arda-01]\n") == "arda-02 controlplane"
    assert given(place_in(), other, ainur=None, arda="reuseNames: [arda-01]\n") == "arda-02 controlplane"


class ComingAndGoing(RuleBasedStateMachine):
    """Machines are assigned, forgotten, and their names freed, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.fleet = fleet_of(
            ("arda-02", "52:54:00:00:00:02", "chain: local\n"),
            ("boss", "52:54:00:00:00:03", "chain: local\nrole: controlplane\n"),
            arda=f"{ARDA}controlPlanes: 3\n",
            ainur="names: arda-x#\n",
        )
        self.table: dict[str, Reservation] = {}
        self.machines = 0

    @rule(layer=st.sampled_from(["ainur", "arda"]), may_lead=st.booleans())
    def a_machine_comes(self, layer: str, may_lead: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        self.machines += 1
        place = place_in(layer, may_lead=may_lead)
        new = assignment_for(place, self.fleet, list(self.table.values()), NOW)
        old = self.table.get(new.name)
        assert old is None or (old.machine_id is None and self.is_free_again(new)), "given twice"
        assert new.name not in self.fleet.names
        assert may_lead or not new.role.leads
        self.table[new.name] = Reservation(
            name=new.name, layer=layer, role=new.role, machine_id=UUID(int=self.machines)
        )

    @precondition(lambda self: self.table)
    @rule(data=st.data())
    def a_machine_is_forgotten(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.table)))
        self.table[name] = replace(self.table[name], machine_id=None)

    @precondition(lambda self: self.table)
    @rule(data=st.data())
    def the_fleet_frees_a_name(self, data: st.DataObject) -> None:
        freed = self.table[data.draw(st.sampled_from(sorted(self.table)))]
        layer = self.fleet.layers[freed.layer]
        freer = layer.model_copy(update={"reuse_names": (*layer.reuse_names, freed.name)})
        self.fleet = replace(self.fleet, layers={**self.fleet.layers, freed.layer: freer})

    def is_free_again(self, one: Assignment | Reservation) -> bool:
        return one.name in self.fleet.layers[one.layer].reuse_names

    @invariant()
    def no_layer_has_too_many_leaders(self) -> None:
        for layer, allowed in ((ARDA_LAYER, 2), (AINUR_LAYER, 1)):  # boss, listed, is the third of arda
            leading = [one for one in self.table.values() if one.role is self.fleet.layers[layer].roles[0]]
            assert len([one for one in leading if one.machine_id]) <= allowed


ComingAndGoing.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestComingAndGoing = ComingAndGoing.TestCase
