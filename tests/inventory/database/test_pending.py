"""Changes on their way to the database."""

from uuid import UUID

import pytest
from inventory.samples import NOW, event, machine

from iluvatar_pxe.inventory.database import pending as module
from iluvatar_pxe.inventory.database.batch import Batch
from iluvatar_pxe.inventory.database.pending import Pending
from iluvatar_pxe.inventory.window import SavedWindow
from iluvatar_pxe.machines.merge import Merge


def details(pending: Pending) -> list[str]:
    return [event.detail for event in pending.take().events]


def test_the_latest_state_of_a_machine_and_all_its_events() -> None:
    pending = Pending()
    pending.add(machine(serial="old"), event(detail="1"))
    pending.add(machine(serial="new"), event(detail="2"))
    batch = pending.take()
    assert [found.serial for found in batch.machines.values()] == ["new"]
    assert [found.detail for found in batch.events] == ["1", "2"]
    assert not pending


def test_what_is_put_back_comes_before_what_is_newer() -> None:
    pending = Pending()
    pending.add(machine(1, serial="old"), event(detail="1"))
    pending.add(machine(2), event(2, detail="2"))
    batch = pending.take()
    pending.add(machine(1, serial="new"), event(detail="3"))
    pending.put_back(batch)
    again = pending.take()
    assert [found.serial for found in again.machines.values()] == ["new", ""]
    assert [found.detail for found in again.events] == ["1", "2", "3"]


def test_the_oldest_events_go_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EVENTS", 3)
    pending = Pending()
    for number in range(3):
        pending.add(machine(), event(detail=str(number)))
    batch = pending.take()
    pending.add(machine(), event(detail="newer"))
    assert pending.dropped == 0
    pending.put_back(batch)
    assert pending.dropped == 1
    assert details(pending) == ["1", "2", "newer"]


def test_an_absorbed_machine_s_events_follow_it() -> None:
    pending = Pending()
    pending.add(machine(1), event(1, generation=2))
    pending.add(machine(2), event(2, generation=2))
    pending.merge(INTO_7)
    pending.add(machine(7))
    taken = pending.take()
    assert set(taken.machines) == {UUID(int=2), UUID(int=7)}
    assert [(found.machine_id.int, found.generation) for found in taken.events] == [(7, 7), (2, 2)]
    assert taken.merges == (INTO_7,)


def test_a_merge_reaches_what_is_put_back() -> None:
    pending = Pending()
    pending.add(machine(1), event(1, generation=2), new=True)
    pending.add(machine(7, generation=5), event(7, generation=5))
    taken = pending.take()
    pending.merge(INTO_7)
    pending.add(machine(7, generation=8))
    pending.put_back(taken)
    again = pending.take()
    assert {one.id.int: one.generation for one in again.machines.values()} == {7: 8}
    assert [(found.machine_id.int, found.generation) for found in again.events] == [(7, 7), (7, 8)]
    assert again.new == frozenset()


INTO_7 = Merge(absorbed=UUID(int=1), survivor=UUID(int=7), offset=5, current=5, current_becomes=8)


def test_of_a_machine_that_came_and_went_nothing_is_kept() -> None:
    pending = Pending()
    pending.add(machine(1), event(1), new=True)
    pending.remove(UUID(int=1))
    assert not pending
    assert pending.take() == Batch()


def test_a_removed_machine_is_removed_from_the_database_and_its_events_are_not_written() -> None:
    pending = Pending()
    pending.add(machine(1), event(1))
    pending.add(machine(2), event(2))
    pending.remove(UUID(int=1))
    assert pending.gone == {UUID(int=1)}
    taken = pending.take()
    assert taken.removals == {UUID(int=1)}
    assert set(taken.machines) == {UUID(int=2)}
    assert [found.machine_id.int for found in taken.events] == [2]


@pytest.mark.parametrize("new", [True, False])
def test_a_removal_reaches_what_is_put_back(new: bool) -> None:  # noqa: FBT001
    pending = Pending()
    pending.add(machine(1), event(1), new=new)
    taken = pending.take()
    pending.remove(UUID(int=1))
    pending.put_back(taken)
    again = pending.take()
    assert again.removals == (frozenset() if new else {UUID(int=1)})
    assert (again.machines, again.events) == ({}, ())


def test_the_latest_window_is_kept() -> None:
    pending = Pending()
    old, new = (SavedWindow(seconds, NOW, "anna") for seconds in (60.0, 30.0))
    pending.save_window(old)
    assert pending
    taken = pending.take()
    pending.put_back(taken)
    taken = pending.take()
    assert taken.window == old
    pending.save_window(new)
    pending.put_back(taken)
    assert pending.take().window == new
