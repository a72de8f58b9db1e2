"""Whoever knows a machine's hardware data can tell them: a NIC that only says itself whose it is gets nothing secret."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from support.fleets import fleet_of
from support.machines import machine_of

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.nics import listed_with, nics_of, not_its_nic, owner_by
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import MOST_UNSURE, Machine, Snapshot
from iluvatar_pxe.machines.observe import Step
from iluvatar_pxe.machines.recognise import Seen, recognise
from iluvatar_pxe.machines.sighting import Firmware, Sighting

OWN, SECOND, ROGUE, ROGUE_2 = (f"52:54:00:00:00:0{number}" for number in range(1, 5))
TOLD: dict[str, Any] = {
    "uuid": UUID("4c4c4544-0042-3510-8052-b4c04f4e3432"),
    "serial": "PC0001",
    "product": "M93p",
    "manufacturer": "LENOVO",
}
LISTED = fleet_of(("one", OWN, "chain: hold\n"))


def speaks(*macs: str, known: Snapshot, fleet: Fleet = LISTED, **other: Any) -> Seen:
    """The first NIC asks, and lists all of them."""
    sighting = Sighting(mac=macs[0], macs=macs, firmware=Firmware.IPXE, **{**TOLD, **other})
    step = Step(Stage.SCRIPT, machine_of(OWN).last_seen)
    listed = listed_with(macs[0], fleet)
    return recognise(sighting, step, known, uuid4(), vouched=True, listed=listed)


def after(seen: Seen, known: Snapshot) -> Snapshot:
    for merge in seen.merges:
        known = known.without(merge.absorbed)
    return known.with_machine(seen.machine)


@pytest.mark.parametrize("fleet", [LISTED, Fleet()])
@pytest.mark.parametrize("names", [(ROGUE,), (ROGUE, OWN), (ROGUE, SECOND, OWN)])
def test_a_newcomer_with_a_machine_s_data_has_none_of_its_rights(
    names: tuple[str, ...], fleet: Fleet
) -> None:
    known = after(speaks(OWN, SECOND, known=Snapshot(), fleet=fleet), Snapshot())
    (one,) = known.by_id.values()
    for board in ({}, {"serial": ""}, {"uuid": None}):
        seen = speaks(*names, known=known, fleet=fleet, **board)
        snapshot = after(seen, known)
        assert seen.machine.id != one.id or owner_by(ROGUE, snapshot, fleet) is None
        (still,) = (machine for machine in snapshot.by_id.values() if OWN in machine.macs)
        assert nics_of(still, fleet) == (OWN,)


def test_who_was_there_first_gets_nothing_of_the_machine_that_the_fleet_lists() -> None:
    known = after(speaks(ROGUE, OWN, ROGUE_2, known=Snapshot()), Snapshot())
    known = known.with_machine(machine_of(ROGUE, ROGUE_2, furthest=Stage.CONFIG, claimed=(OWN,), **TOLD))
    machine = speaks(OWN, known=known).machine
    assert set(machine.macs) == {OWN, ROGUE, ROGUE_2}
    assert nics_of(machine, LISTED) == (OWN,)
    assert machine.claimed == ()


def test_what_a_double_lists_is_not_the_machine_s() -> None:
    known = after(speaks(OWN, SECOND, known=Snapshot()), Snapshot())
    machine = speaks(ROGUE, OWN, ROGUE_2, known=known).machine
    assert machine.claimed == (SECOND,)
    other = speaks(ROGUE_2, OWN, known=after(speaks(ROGUE, OWN, ROGUE_2, known=known), known)).machine
    assert nics_of(other, LISTED) == (OWN,)


def test_a_nic_that_the_machine_itself_lists_or_its_owner_is_its_own() -> None:
    known = after(speaks(OWN, SECOND, known=Snapshot()), Snapshot())
    machine = speaks(SECOND, OWN, known=known).machine
    assert (nics_of(machine, LISTED), machine.unsure) == ((OWN, SECOND), ())
    both = fleet_of(("one", f'{OWN}", "{ROGUE}', "chain: hold\n"))
    doubled = speaks(ROGUE, known=known).machine
    assert nics_of(doubled, both) == (OWN, ROGUE)


def test_it_is_said_which_nic_is_in_question_and_what_to_do() -> None:
    known = after(speaks(OWN, known=Snapshot()), Snapshot())
    machine = speaks(ROGUE, known=known).machine
    why = not_its_nic(machine, ROGUE, Snapshot.of([machine]), LISTED)
    assert why.startswith(f"which is in question: {ROGUE} and {OWN} report the same UUID or serial number")
    assert f'add "{ROGUE}" to match.macs in machines/one.yaml' in why


def test_no_double_is_forgotten_and_too_many_are_machines_of_their_own() -> None:
    known = after(speaks(OWN, known=Snapshot()), Snapshot())
    for number in range(MOST_UNSURE * 2):
        known = after(speaks(f"52:54:00:00:01:{number:02x}", known=known), known)
    one = owner_by(OWN, known, LISTED)
    assert isinstance(one, Machine)
    assert len(one.macs) == 1 + MOST_UNSURE
    assert nics_of(one, LISTED) == (OWN,)
