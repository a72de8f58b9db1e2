"""Changes on their way to the database."""

from uuid import UUID

import pytest
from inventory.samples import event, machine

from iluvatar_pxe.inventory import pending as module
from iluvatar_pxe.inventory.pending import Pending


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


def test_a_renamed_machine_s_events_follow_it() -> None:
    pending = Pending()
    pending.add(machine(1), event(1, generation=2))
    pending.add(machine(2), event(2, generation=2))
    pending.rename({UUID(int=1): (UUID(int=7), 5)}, [machine(7)])
    batch = pending.take()
    assert set(batch.machines) == {UUID(int=2), UUID(int=7)}
    assert [(found.machine_id.int, found.generation) for found in batch.events] == [(7, 7), (2, 2)]
