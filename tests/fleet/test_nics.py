"""Which NICs are a machine's by packets and by its file, and what the owner is told of the others."""

from uuid import UUID

import pytest
from support.fleets import fleet_of
from support.machines import machine_of

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import listed_with, machine_with, nic_warnings, nics_of, not_its_nic
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.hardware import swapped
from iluvatar_pxe.machines.model import Machine, Snapshot

A, B, C = (f"52:54:00:00:00:0{number}" for number in range(1, 4))
HARDWARE = UUID("03de0294-0480-0506-f806-d50700080009")
ONE_FILE = fleet_of(("one", f'{A}", "{B}', "chain: hold\n"))
OTHER_FILE = fleet_of(("one", A, "chain: hold\n"))


def test_a_machine_has_the_nics_that_its_file_lists() -> None:
    assert nics_of(machine_of(A), ONE_FILE) == (A, B)
    assert nics_of(machine_of(A, C), ONE_FILE) == (A, C, B)
    assert nics_of(machine_of(C), ONE_FILE) == (C,)
    assert (listed_with(B, ONE_FILE).macs, listed_with(C, ONE_FILE).macs) == ((A, B), ())


def test_a_machine_that_another_file_lists_is_another() -> None:
    fleet = fleet_of(("one", A, "chain: hold\n"), ("two", B, "chain: hold\n"))
    listed = listed_with(B, fleet)
    assert [listed.elsewhere(machine_of(mac)) for mac in (A, B, C)] == [True, False, False]
    assert not listed_with(C, fleet).elsewhere(machine_of(A)), "no file speaks of the NIC itself"


def test_a_nic_that_was_never_seen_is_that_of_the_machine_it_is_listed_with() -> None:
    machine = machine_of(A)
    assert machine_with(B, Snapshot.of([machine]), ONE_FILE) == machine
    assert machine_with(B, Snapshot.of([machine]), OTHER_FILE) is None
    own = machine_of(B)
    assert machine_with(B, Snapshot.of([machine, own]), ONE_FILE) == own, "its own record goes first"


def test_what_somebody_split_off_is_not_joined_by_a_file() -> None:
    assert machine_with(B, Snapshot.of([machine_of(A, apart=(B,))]), ONE_FILE) is None


@pytest.mark.parametrize("told", [HARDWARE, swapped(HARDWARE)], ids=["as in the file", "byte order"])
def test_a_file_finds_its_machine_by_a_uuid_in_either_byte_order(told: UUID) -> None:
    file = f"match: {{serial: CZ1, uuid: {HARDWARE}}}\nchain: hold\n"
    (found,) = parse_fleet({"fleet.yaml": "", "machines/one.yaml": file}).machines((), "CZ1", told)
    assert found.name == "one"


@pytest.mark.parametrize(
    ("fleet", "expected"),
    [
        pytest.param(
            OTHER_FILE,
            f"{B} asked for the configuration, and is not a NIC of one; if it is one, "
            f'add "{B}" to match.macs in machines/one.yaml; if not, run iluvatar-pxe machines release one',
            id="listed",
        ),
        pytest.param(
            Fleet(),
            f"{B} asked for the configuration, and is not a NIC of {A}; if it is one, "
            f'add machines/NAME.yaml with match: {{macs: ["{A}", "{B}"]}}; if not, run iluvatar-pxe machines release {A}',
            id="unlisted",
        ),
    ],
)
def test_the_owner_is_told_the_line_for_a_nic_that_is_in_no_file(fleet: Fleet, expected: str) -> None:
    assert list(nic_warnings(machine_of(A, unsure=(B,)), fleet)) == [expected]


def test_the_owner_is_told_of_clones() -> None:
    (warning,) = nic_warnings(machine_of(A, B, unsure=(B,)), OTHER_FILE)
    assert warning.startswith(f"{B} and {A} report the same UUID or serial number")
    assert f"if they are two machines, run iluvatar-pxe machines split one {B}" in warning
    assert warning.endswith(f'if they are one, add "{B}" to match.macs in machines/one.yaml')


@pytest.mark.parametrize(
    ("fleet", "other", "expected"),
    [
        pytest.param(
            fleet_of(("nas", B, "chain: hold\n")), None, f"a NIC of nas, not of {A}", id="by a file"
        ),
        pytest.param(
            OTHER_FILE,
            machine_of(B, reached=Stage.SCRIPT, furthest=Stage.SCRIPT),
            f"a NIC of {B}, not of one",
            id="by a boot",
        ),
        pytest.param(
            OTHER_FILE,
            machine_of(B),
            f'not a NIC of one; if it is one, add "{B}" to match.macs in machines/one.yaml',
            id="by DHCP alone",
        ),
    ],
)
def test_of_another_s_nic_it_is_said_whose_it_is(fleet: Fleet, other: Machine | None, expected: str) -> None:
    snapshot = Snapshot.of([other] if other else [])
    assert not_its_nic(machine_of(A), B, snapshot, fleet) == expected


def test_a_nic_that_a_file_lists_is_no_question() -> None:
    two = fleet_of(("one", A, "chain: hold\n"), ("nas", B, "chain: hold\n"))
    assert list(nic_warnings(machine_of(A, unsure=(B,)), two)) == []
    assert list(nic_warnings(machine_of(A, unsure=(B,)), ONE_FILE)) == []
    assert list(nic_warnings(machine_of(A, B, unsure=(B,)), ONE_FILE)) == []


def test_few_of_many_nics_in_question_are_remembered() -> None:
    machine = machine_of(A)
    macs = [f"52:54:00:00:01:{number:02x}" for number in range(20)]
    for mac in (*macs, macs[-1]):
        machine = machine.with_unsure(mac)
    assert machine.unsure == tuple(macs[-8:])
