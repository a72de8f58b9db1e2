"""One more sighting and everything known: which machine it is of, and what becomes of that machine and others."""

from datetime import timedelta
from uuid import UUID

from inventory.samples import NOW, machine, script, sighting

from iluvatar_pxe.machines.boots import Happening, Stage
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.observe import Step
from iluvatar_pxe.machines.recognise import Seen, recognise
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Attempts, Phase

ONE, TWO, THREE = (f"52:54:00:00:00:0{number}" for number in (1, 2, 3))
FRESH = UUID(int=99)
UUID_A = UUID("4c4c4544-0042-3510-8052-b4c04f4e3432")
UUID_B = UUID("4c4c4544-0042-3510-8052-b4c04f4e3433")
THIS = {"uuid": UUID_A, "serial": "PC0001", "product": "M93p", "manufacturer": "LENOVO"}
OTHER = {"uuid": UUID_B, "serial": "PC0002", "product": "M93p", "manufacturer": "LENOVO"}


def seen(
    told: Sighting, *machines: Machine, stage: Stage = Stage.SCRIPT, vouched: bool = True, chain: str = ""
) -> Seen:
    step = Step(stage, NOW + timedelta(seconds=1), chain)
    return recognise(told, step, Snapshot.of(machines), FRESH, vouched=vouched)


def told(result: Seen) -> list[tuple[Happening, str]]:
    return [(happening, detail) for _, happening, detail in result.happened]


def test_a_machine_has_the_cards_it_was_heard_by_and_those_it_lists_are_its_word() -> None:
    found = seen(script(ONE, TWO, **THIS))
    assert (found.machine.id, found.machine.macs, found.machine.serial) == (FRESH, (ONE,), "PC0001")
    assert found.machine.claimed == (TWO,)
    assert (found.merges, found.disputed, found.happened) == ((), (), ())


def test_what_it_lists_is_what_it_listed_last() -> None:
    known = machine(1, claimed=(TWO,))
    assert seen(script(ONE, THREE), known).machine.claimed == (THREE,)
    assert seen(sighting(ONE), known, stage=Stage.DISCOVER).machine.claimed == (TWO,)


def test_two_machines_that_are_one_are_merged_and_it_is_said() -> None:
    older = machine(1, reached=Stage.DISCOVER, generation=3, claimed=(TWO,))
    younger = machine(2, reached=Stage.DISCOVER, first_seen=NOW + timedelta(seconds=1))
    found = seen(script(TWO, ONE, THREE, **THIS), older, younger)
    (merge,) = found.merges
    assert (merge.survivor, merge.absorbed, merge.offset) == (older.id, younger.id, 3)
    assert (found.machine.macs, found.machine.generation) == ((ONE, TWO), 4)
    assert found.machine.claimed == (THREE,)
    ((who, happening, detail),) = found.happened
    assert (who, happening) == (found.machine, Happening.MERGED)
    assert detail == f"{TWO} was known as a separate machine"


def test_equal_hardware_is_one_machine() -> None:
    known = machine(1, reached=Stage.DISCOVER, **THIS)
    assert seen(script(TWO, **THIS), known).machine.macs == (ONE, TWO)


def test_what_nobody_vouches_for_is_not_believed() -> None:
    known = machine(1, serial="PC0001", product="M93p")
    found = seen(script(ONE, TWO, **OTHER), known, machine(2), vouched=False)
    assert (found.machine.macs, found.machine.serial, found.machine.uuid) == ((ONE,), "PC0001", None)
    assert (found.merges, found.disputed) == ((), ())
    stranger = seen(script(THREE, ONE, **OTHER), known, vouched=False).machine
    assert (stranger.id, stranger.macs, stranger.serial) == (FRESH, (THREE,), "")


def test_firmware_s_own_dhcp_is_believed_for_it_lists_no_cards() -> None:
    found = seen(sighting(ONE, uuid=UUID_A), machine(1), stage=Stage.DISCOVER, vouched=False)
    assert found.machine.uuid == UUID_A


def test_a_card_on_other_hardware_is_a_conflict_said_once_and_nothing_is_learned() -> None:
    known, twin = machine(1, **THIS), machine(2, **OTHER)
    found = seen(script(ONE, THREE, **OTHER), known, twin)
    assert found.machine.conflict.startswith(f"{ONE} was seen with UUID {UUID_B} instead of {UUID_A}")
    assert (found.machine.macs, found.machine.serial) == ((ONE,), "PC0001")
    (other,) = found.disputed
    assert (other.id, bool(other.conflict)) == (twin.id, True)
    assert {(who.id, happening) for who, happening, _ in found.happened} == {
        (known.id, Happening.CONFLICT),
        (twin.id, Happening.CONFLICT),
    }
    again = seen(script(ONE, THREE, **OTHER), found.machine, other)
    assert (again.disputed, again.happened) == ((), ())
    assert again.machine.conflict == found.machine.conflict


def test_a_machine_in_doubt_learns_nothing_and_absorbs_nothing() -> None:
    doubted = machine(1, reached=Stage.DISCOVER, conflict="in doubt", claimed=(TWO,))
    clear = machine(2, reached=Stage.DISCOVER, claimed=(ONE,))
    found = seen(script(ONE, TWO, THREE, **THIS), doubted, clear)
    assert (found.machine.macs, found.machine.serial, found.merges) == ((ONE,), "", ())
    found = seen(script(TWO, ONE, THREE), doubted, clear)
    assert (found.machine.id, found.machine.macs, found.merges) == (clear.id, (TWO,), ())


def test_a_machine_that_goes_round_and_round_has_failed_and_it_is_said_once() -> None:
    attempts = Attempts("talos", Stage.KERNEL, (NOW,) * 5, 1)
    known = machine(1, reached=Stage.KERNEL, phase=Phase.BOOTING, attempts=attempts)
    found = seen(sighting(ONE), known, stage=Stage.DISCOVER)
    assert found.machine.phase is Phase.FAILED
    assert told(found) == [(Happening.FAILED, "talos: 5 boots within an hour, none past kernel")]
    assert seen(sighting(ONE), found.machine, stage=Stage.DISCOVER).happened == ()
