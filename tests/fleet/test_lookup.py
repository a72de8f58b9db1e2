"""What a machine is called: one answer, whoever asks."""

from datetime import UTC, datetime

import pytest
from support.fleets import CONFIGURED, fleet_of
from support.machines import machine_of

from iluvatar_pxe.admin.describe import describe
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.decide import decide
from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.fleet.lookup import files_of, find_machine, listed_as, name_of, role_of, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.machines.model import Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.states import Assignment, Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace

MAC, SECOND = "52:54:00:77:00:01", "52:54:00:77:00:02"
GIVEN = Assignment(
    name="arda-07",
    layer="arda",
    role=Role.WORKER,
    rule="rule 1 of fleet.yaml",
    at=datetime(2026, 1, 1, tzinfo=UTC),
)
NEW = machine_of(MAC, SECOND)
ASSIGNED = replace(NEW, assignment=GIVEN)
NAS = fleet_of(("nas", SECOND, "chain: local\n"))


@pytest.mark.parametrize(
    ("machine", "fleet", "name"),
    [
        (NEW, fleet_of(), None),
        (ASSIGNED, fleet_of(), "arda-07"),
        (NEW, NAS, "nas"),
        (ASSIGNED, NAS, "nas"),
    ],
)
def test_a_machine_has_one_name(machine: Machine, fleet: Fleet, name: str | None) -> None:
    snapshot = Snapshot.of([machine])
    assert name_of(machine, fleet) == name
    assert title_of(machine, fleet) == (name or MAC)
    assert describe(machine, fleet)["name"] == name
    assert [member.name for member in members_of(snapshot, fleet)] == ([name] if name else [])
    for mac in machine.macs:
        asks = replace(sighting_of(machine), mac=mac)
        assert decide(asks, snapshot, fleet, Context()).case.title == title_of(machine, fleet)
    assert find_machine(title_of(machine, fleet), snapshot, fleet) == machine


LEADER, AUTO = (fleet_of(("nas", MAC, f"role: {role}\nchain: local\n")) for role in ("controlplane", "auto"))
LISTED = fleet_of(("nas", MAC, ""), arda=CONFIGURED)


@pytest.mark.parametrize(
    ("machine", "fleet", "role"),
    [
        (NEW, fleet_of(), None),
        (NEW, LEADER, Role.CONTROLPLANE),
        (NEW, AUTO, None),
        (ASSIGNED, fleet_of(), Role.WORKER),
        (ASSIGNED, LEADER, Role.CONTROLPLANE),
        (ASSIGNED, AUTO, None),
        (ASSIGNED, LISTED, Role.WORKER),
        (ASSIGNED, fleet_of(("nas", MAC, "layer: ainur\nchain: local\n"), ainur=""), None),
        (replace(ASSIGNED, phase=Phase.JOINED), LEADER, Role.WORKER),
        (replace(ASSIGNED, phase=Phase.INSTALLING), LEADER, Role.WORKER),
        (
            replace(ASSIGNED, phase=Phase.JOINED, directive=Directive(Intent.REINSTALL)),
            LEADER,
            Role.CONTROLPLANE,
        ),
    ],
)
def test_a_machine_has_one_role(machine: Machine, fleet: Fleet, role: Role | None) -> None:
    """An installed one keeps its own, whatever its file says since."""
    assert role_of(machine, listed_as(machine, fleet)) == role
    assert describe(machine, fleet)["role"] == role
    assert decide(sighting_of(machine), Snapshot.of([machine]), fleet, Context()).case.role == role


def test_of_several_files_the_first_counts() -> None:
    fleet = fleet_of(("b", SECOND, "chain: local\n"), ("a", MAC, "chain: hold\n"))
    assert [one.name for one in files_of(NEW, fleet)] == ["a", "b"]
    assert listed_as(NEW, fleet) == files_of(NEW, fleet)[0]
    assert listed_as(NEW, fleet_of()) is None
    assert name_of(NEW, fleet) == describe(NEW, fleet)["name"] == "a"
