"""Which machine speaks: cards that join, cards that moved, claims that nobody vouches for, and values that lie."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.machines import machine_of

from iluvatar_pxe.machines.hardware import BOGUS_SERIALS, BOGUS_UUIDS, hardware_of, swapped
from iluvatar_pxe.machines.merge import merge, split
from iluvatar_pxe.machines.model import Listed, Machine, Snapshot
from iluvatar_pxe.machines.recognise import Identity, identify
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Phase, Role

A, B, C, D = (f"52:54:00:00:00:0{number}" for number in range(1, 5))
ONE, TWO, THREE = UUID(int=1), UUID(int=2), UUID(int=3)
UUID_1, UUID_2 = UUID("03de0294-0480-0506-f806-d50700080009"), UUID("2961ecf6-7e94-488d-ae0d-e427123078b3")
BOGUS: dict[str, Any] = {
    "uuid": UUID(BOGUS_UUIDS[0].value),
    "serial": BOGUS_SERIALS[0].value,
    "product": "MS-7242",
}
HARDWARE_1: dict[str, Any] = {"uuid": UUID_1, "serial": "CZ1", "product": "EliteDesk"}
HARDWARE_2: dict[str, Any] = {"uuid": UUID_2, "serial": "CZ2", "product": "EliteDesk"}
NO_HARDWARE: dict[str, Any] = {}
PLACE = Assignment(
    name="arda-01",
    layer="arda",
    role=Role.WORKER,
    rule="rule 1 of fleet.yaml",
    at=datetime(2026, 1, 1, tzinfo=UTC),
)
BOOTED: dict[str, Any] = {"phase": Phase.BOOTING, "assignment": PLACE}


def script(*macs: str, **told: Any) -> Sighting:
    """What iPXE's script tells; the first card asks."""
    return Sighting(mac=macs[0], macs=macs, firmware=Firmware.IPXE, **told)


def dhcp(mac: str, **told: Any) -> Sighting:
    return Sighting(mac=mac, firmware=Firmware.UEFI_PXE, **told)


def identified(sighting: Sighting, *machines: Machine, vouched: bool = True) -> Identity:
    return identify(sighting, Snapshot.of(machines), vouched=vouched)


def test_a_card_that_nobody_knows_is_a_new_machine() -> None:
    assert identified(dhcp(A)) == Identity(None)


def test_cards_of_one_machine_speak_in_turn() -> None:
    machine = machine_of(A, B, id=ONE, **HARDWARE_1)
    for sighting in (dhcp(A), script(A, B, **HARDWARE_1), dhcp(B), script(B, A, **HARDWARE_1)):
        identity = identified(sighting, machine)
        assert (identity.machine, identity.same, identity.conflicts) == (machine, (), {})


def test_two_cards_of_which_each_lists_the_other_are_one_machine() -> None:
    one, two = machine_of(A, id=ONE), machine_of(B, id=TWO, claimed=(A,))
    assert identified(script(A, B), one, two) == Identity(one, (two,))
    assert identified(script(A), one, two) == Identity(one), "the other's word alone is not enough"


def test_a_card_is_not_anothers_because_that_one_says_so() -> None:
    one, two = machine_of(A, id=ONE), machine_of(B, id=TWO)
    assert identified(script(A, B), one, two) == Identity(one)
    assert identified(script(A, B), one, machine_of(B, id=TWO, **BOOTED)) == Identity(one)
    assert identified(script(A, B, C, D), machine_of(B, C, D, id=TWO, **HARDWARE_1)) == Identity(None)


def test_hardware_that_agrees_confirms_a_card_that_is_listed() -> None:
    one, two = machine_of(A, id=ONE), machine_of(B, id=TWO, uuid=UUID_1)
    assert identified(script(A, B, uuid=UUID_1), one, two) == Identity(one, (two,))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(HARDWARE_1, id="UUID, serial number and product"),
        pytest.param(HARDWARE_1 | {"uuid": swapped(UUID_1)}, id="the UUID in the other byte order"),
    ],
)
@pytest.mark.parametrize("state", [NO_HARDWARE, BOOTED], ids=["discovered", "assigned"])
def test_a_new_card_joins_the_machine_that_has_the_same_hardware(
    told: dict[str, Any], state: dict[str, Any]
) -> None:
    machine = machine_of(A, id=ONE, **HARDWARE_1, **state)
    assert identified(script(B, **told), machine) == Identity(None, (machine,))


@pytest.mark.parametrize(
    ("known", "told"),
    [
        pytest.param(HARDWARE_1, HARDWARE_1 | {"serial": "CZ2"}, id="one UUID, different serial numbers"),
        pytest.param(BOGUS, BOGUS, id="all bogus"),
        pytest.param(HARDWARE_1 | BOGUS | {"uuid": UUID_1}, BOGUS | {"uuid": UUID_1}, id="same bogus serial"),
        pytest.param(
            HARDWARE_1 | {"uuid": BOGUS["uuid"]}, HARDWARE_1 | {"uuid": BOGUS["uuid"]}, id="same bogus UUID"
        ),
        pytest.param(HARDWARE_1, HARDWARE_1 | {"product": ""}, id="no product told"),
        pytest.param(HARDWARE_1, {"uuid": UUID_1}, id="only the UUID told"),
        pytest.param(NO_HARDWARE, NO_HARDWARE, id="nothing told"),
    ],
)
def test_two_machines_stay_two(known: dict[str, Any], told: dict[str, Any]) -> None:
    one, two = machine_of(A, id=ONE, **known), machine_of(B, id=TWO, **told)
    assert identified(script(B, **told), one) == Identity(None)
    assert identified(script(B, **told), one, two) == Identity(two)


def test_a_cards_own_uuid_in_option_97_does_not_keep_it_from_joining() -> None:
    one, two = machine_of(A, id=ONE, **HARDWARE_1), machine_of(B, id=TWO, uuid=UUID_2)
    assert identified(script(B, A, **HARDWARE_1), one, two) == Identity(two, (one,))


def test_option_97_alone_neither_joins_nor_parts() -> None:
    machine = machine_of(A, id=ONE, **HARDWARE_1)
    assert identified(dhcp(B, uuid=UUID_1), machine) == Identity(None)
    assert identified(dhcp(A, uuid=UUID_2), machine) == Identity(machine)
    undescribed = machine_of(A, id=ONE, uuid=UUID_2)
    assert identified(script(A, B, **HARDWARE_1), undescribed) == Identity(undescribed)


@pytest.mark.parametrize(
    "sighting", [script(A, B, **HARDWARE_1), script(A, C, **HARDWARE_2), script(D, A, B)]
)
def test_claims_that_nobody_vouches_for_change_nothing(sighting: Sighting) -> None:
    one, two = machine_of(A, id=ONE, **HARDWARE_1), machine_of(B, id=TWO, **HARDWARE_2)
    own = one if sighting.mac == A else None
    assert identified(sighting, one, two, vouched=False) == Identity(own)


def test_a_card_that_moved_puts_both_machines_in_doubt() -> None:
    one, two = machine_of(A, C, id=ONE, **HARDWARE_1), machine_of(B, id=TWO, **HARDWARE_2)
    identity = identified(script(C, B, **HARDWARE_2), one, two)
    assert (identity.machine, identity.same) == (one, ())
    text = f"{C} was seen with UUID {UUID_2} instead of {UUID_1}"
    assert identity.conflicts == {ONE: text, TWO: f"{text}: that of {B}"}


def test_a_card_that_moved_to_hardware_known_by_its_other_card_only() -> None:
    told = BOGUS | {"serial": "CZ2"}
    one, two = machine_of(A, C, id=ONE, **HARDWARE_1), machine_of(B, id=TWO, **told)
    assert identified(script(C, B, **told), one, two).conflicts.keys() == {ONE, TWO}


def test_a_card_that_moved_does_not_accuse_a_third_machine() -> None:
    one, two = machine_of(A, id=ONE, **HARDWARE_1), machine_of(B, id=TWO, **HARDWARE_2)
    third = machine_of(D, id=THREE, **HARDWARE_2 | {"serial": "CZ3"})
    assert identified(script(A, B, D, **HARDWARE_2), one, two, third).conflicts.keys() == {ONE, TWO}


def test_a_card_that_moved_to_hardware_nobody_knows() -> None:
    one = machine_of(A, C, id=ONE, **HARDWARE_1)
    assert identified(script(C, B, **HARDWARE_2), one).conflicts.keys() == {ONE}


def test_a_machine_that_lists_the_card_of_other_hardware_is_not_believed() -> None:
    one, two = machine_of(A, C, id=ONE, **HARDWARE_1), machine_of(B, id=TWO, **HARDWARE_2)
    assert identified(script(B, C, **HARDWARE_2), one, two) == Identity(two)


def test_two_that_were_booted_as_machines_of_their_own_are_not_joined() -> None:
    one = machine_of(A, id=ONE, claimed=(B,), **BOGUS, **BOOTED)
    two = machine_of(B, id=TWO, **BOGUS, phase=Phase.JOINED)
    conflicts = identified(script(B, A, **BOGUS), one, two).conflicts
    why = "both have booted as separate machines"
    assert conflicts == {
        ONE: f"{B} lists {A} as its own NIC: {why}",
        TWO: f"its firmware lists {A}, a NIC of arda-01: {why}",
    }


def test_the_same_hardware_twice_is_said_as_such() -> None:
    one = machine_of(A, id=ONE, **HARDWARE_1, **BOOTED)
    two = machine_of(B, id=TWO, **HARDWARE_1, phase=Phase.JOINED)
    conflicts = identified(script(B, **HARDWARE_1), one, two).conflicts
    why = "both have booted as separate machines"
    assert conflicts == {
        ONE: f"{B} reports the same UUID and serial number: {why}",
        TWO: f"its firmware reports the UUID and serial number of arda-01: {why}",
    }


@pytest.mark.parametrize("own", [(), (machine_of(C, id=THREE),)], ids=["unknown", "discovered"])
def test_a_newcomer_does_not_join_two_that_were_booted(own: tuple[Machine, ...]) -> None:
    one, two = (
        machine_of(A, id=ONE, **HARDWARE_1, **BOOTED),
        machine_of(B, id=TWO, **HARDWARE_1, phase=Phase.JOINED),
    )
    identity = identified(script(C, A, B, **HARDWARE_1), one, two, *own)
    assert not identity.same
    assert identity.conflicts.keys() >= {ONE, TWO}


@pytest.mark.parametrize("known", [NO_HARDWARE, BOGUS, HARDWARE_1], ids=["nothing", "bogus", "real"])
def test_naming_an_assigned_machines_card_does_not_join_it(known: dict[str, Any]) -> None:
    victim = machine_of(A, id=ONE, **known, **BOOTED)
    assert identified(script(C, A, **BOGUS), victim) == Identity(None)
    assert identified(script(C, A), victim, machine_of(C, id=THREE)) == Identity(machine_of(C, id=THREE))


def test_an_assigned_machines_own_uuid_is_enough_to_list_its_card() -> None:
    machine = machine_of(A, id=ONE, uuid=UUID_1, **BOOTED)
    assert identified(script(C, A, uuid=swapped(UUID_1)), machine) == Identity(None, (machine,))


MACS = st.sampled_from([A, B, C, D])
TOLD = st.sampled_from([NO_HARDWARE, BOGUS, HARDWARE_1, HARDWARE_2, HARDWARE_1 | {"serial": "CZ2"}])


@st.composite
def fleets(draw: st.DrawFn) -> list[Machine]:
    groups = draw(st.sampled_from([[], [[A]], [[A], [B]], [[A, B], [C]], [[A], [B], [C]]]))
    states = st.sampled_from([NO_HARDWARE, BOOTED, {"phase": Phase.JOINED}])
    return [
        machine_of(*macs, id=UUID(int=number), **draw(TOLD), **draw(states))
        for number, macs in enumerate(groups, start=1)
    ]


@given(fleets(), st.lists(MACS, min_size=1, unique=True), TOLD, st.booleans())
def test_in_doubt_nothing_is_believed_and_nobody_settled_is_joined(
    machines: list[Machine],
    macs: list[str],
    told: dict[str, Any],
    vouched: bool,  # noqa: FBT001
) -> None:
    identity = identified(script(*macs, **told), *machines, vouched=vouched)
    assert identity.machine == next((one for one in machines if macs[0] in one.macs), None)
    if identity.conflicts or not vouched:
        assert not identity.same
    if not vouched:
        assert not identity.conflicts
    together = [one for one in (identity.machine, *identity.same) if one]
    if not identity.conflicts:
        assert sum(one.phase is not Phase.DISCOVERED for one in together) <= 1
    assert len({one.id for one in together}) == len(together)


@pytest.mark.parametrize("speaking", [A, B])
def test_what_somebody_split_stays_apart_whatever_firmware_lists(speaking: str) -> None:
    rest, card = split(machine_of(A, B, **HARDWARE_1), B, UUID(int=5))
    told = script(speaking, A, B, **HARDWARE_1)
    snapshot = Snapshot.of([rest, card])
    identity = identify(told, snapshot, vouched=True)
    assert identity.machine == (rest if speaking == A else card)
    assert (identity.same, identity.conflicts) == ((), {})


def test_what_somebody_split_off_and_forgot_stays_apart() -> None:
    """Whatever tells of it first: a packet that makes it a new machine, or its script."""
    rest, _ = split(machine_of(A, B, id=ONE, claimed=(B,), **HARDWARE_1), B, TWO)
    again = machine_of(B, id=THREE)
    for listed in (Listed(), Listed((A, B))):
        told = script(B, A, **HARDWARE_1)
        assert identify(told, Snapshot.of([rest]), vouched=True, listed=listed) == Identity(None)
        assert identify(told, Snapshot.of([rest, again]), vouched=True, listed=listed) == Identity(again)


@pytest.mark.parametrize("sighting", [dhcp(B), script(B), script(B, **HARDWARE_1)])
def test_nics_that_the_fleet_lists_together_are_one_machines(sighting: Sighting) -> None:
    machine = machine_of(A, id=ONE, **BOOTED)
    found = identify(sighting, Snapshot.of([machine]), vouched=bool(sighting.macs), listed=Listed((A, B)))
    assert found == Identity(machine)


def test_machines_whose_nics_the_fleet_lists_together_become_one() -> None:
    one, two = machine_of(A, id=ONE, **BOOTED), machine_of(B, id=TWO)
    snapshot = Snapshot.of([one, two])
    assert identify(script(B), snapshot, vouched=True, listed=Listed((A, B))) == Identity(two, (one,))
    assert identify(script(B), snapshot, vouched=False, listed=Listed((A, B))) == Identity(two)


def test_a_file_that_lists_nics_of_different_hardware_joins_nothing() -> None:
    one, two = machine_of(A, id=ONE, **HARDWARE_1), machine_of(B, id=TWO)
    snapshot = Snapshot.of([one, two])
    assert identify(script(B, **HARDWARE_2), snapshot, vouched=True, listed=Listed((A, B))) == Identity(two)


def test_clones_that_two_files_list_are_two_machines_unless_they_list_each_other() -> None:
    one = machine_of(A, id=ONE, **HARDWARE_1)
    listed = Listed((B,), lambda machine: machine == one)
    for own in ((), (machine_of(B, id=TWO),), (machine_of(B, id=TWO, **HARDWARE_1),)):
        snapshot = Snapshot.of([one, *own])
        found = identify(script(B, **HARDWARE_1), snapshot, vouched=True, listed=listed)
        assert found == Identity(own[0] if own else None)
    found = identify(script(B, A, **HARDWARE_1), Snapshot.of([one]), vouched=True, listed=listed)
    assert found == Identity(None, (one,)), "two files list NICs of one machine"


@pytest.mark.parametrize("told", [UUID_1, swapped(UUID_1)])
def test_a_uuid_in_the_other_byte_order_is_the_same(told: UUID) -> None:
    machine = machine_of(A, id=ONE, **HARDWARE_1)
    same = {**HARDWARE_1, "uuid": told}
    assert Snapshot.of([machine]).with_hardware(hardware_of(script(B, **same))) == (machine,)
    assert identified(script(A, **same), machine).conflicts == {}
    by_uuid = machine_of(A, id=ONE, uuid=UUID_1)
    assert identified(script(B, A, uuid=told), by_uuid, machine_of(B, id=TWO)).same == (by_uuid,)


def test_what_somebody_merged_again_is_one_machine() -> None:
    rest, card = split(machine_of(A, B), B, UUID(int=5))
    whole, _ = merge(rest, card, rest.id)
    assert set(whole.macs) == {A, B}
    assert whole.apart == ()
