"""Batches with merges and removals in them: rows move and go, and belong together at the end."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from inventory.samples import NOW, batch, event, known, machine, rows, url_of

from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.database.writes import MOST_BOOTS
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.states import Assignment, Role

BOOTS = "SELECT machine_id, generation, reached FROM boots ORDER BY 1, 2"
EVENTS = "SELECT machine_id, generation, detail FROM boot_events ORDER BY 1, 2, id"
MACS = (*machine(1).macs, *machine(2).macs)


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store(url_of(file))
    opened.open()
    yield opened
    assert rows(file, "PRAGMA foreign_key_check") == []
    opened.close()


def named(name: str) -> Assignment:
    return Assignment(name=name, layer="arda", role=Role.WORKER, rule="rule 1", at=NOW)


def merge(absorbed: int, survivor: int, offset: int, becomes: int) -> Merge:
    return Merge(UUID(int=absorbed), UUID(int=survivor), offset, offset, becomes)


def two_machines(store: Store) -> None:
    """Machine 1 at its second boot and machine 2 at its first, each boot with an event that names it."""
    store.write(
        batch(
            [machine(1, generation=2), machine(2)],
            [event(1, detail="1.1"), event(1, generation=2, detail="1.2"), event(2, detail="2.1")],
        )
    )


def moved(file: Path) -> list[tuple[int, int, str]]:
    return [(UUID(id_).int, number, detail) for id_, number, detail in rows(file, EVENTS)]


@pytest.mark.parametrize(
    ("becomes", "expected"),
    [
        (2, [(1, 1, "1.1"), (1, 2, "1.2"), (1, 3, "2.1")]),
        (4, [(1, 1, "1.1"), (1, 3, "2.1"), (1, 4, "1.2")]),
    ],
    ids=["the absorbed one is booting", "the survivor is booting"],
)
def test_boots_and_events_follow_their_machine(
    store: Store, file: Path, becomes: int, expected: list[tuple[int, int, str]]
) -> None:
    two_machines(store)
    united = machine(1, macs=MACS, generation=max(3, becomes))
    store.write(batch([united], merges=(merge(2, 1, 2, becomes),)))
    assert moved(file) == expected
    assert known(file) == dict.fromkeys(MACS, united)


def test_a_survivor_that_was_never_written(store: Store, file: Path) -> None:
    two_machines(store)
    united = machine(7, macs=MACS[1:], generation=6)
    store.write(batch([united], merges=(merge(2, 7, 5, 6),)))
    assert moved(file) == [(1, 1, "1.1"), (1, 2, "1.2"), (7, 6, "2.1")]


def test_a_chain_of_merges(store: Store, file: Path) -> None:
    two_machines(store)
    merges = (merge(2, 7, 1, 1), merge(7, 1, 2, 2))
    store.write(batch([machine(1, macs=MACS, generation=4)], merges=merges))
    assert moved(file) == [(1, 1, "1.1"), (1, 2, "1.2"), (1, 4, "2.1")]


def test_a_survivor_that_is_gone_before_it_was_written(store: Store, file: Path) -> None:
    two_machines(store)
    store.write(batch(merges=(merge(2, 7, 1, 1),), removals=frozenset({UUID(int=7)})))
    assert moved(file) == [(1, 1, "1.1"), (1, 2, "1.2")]
    assert set(known(file)) == set(MACS[:1])


def test_numbers_that_are_taken_do_not_keep_a_batch_from_being_written(store: Store, file: Path) -> None:
    two_machines(store)
    store.write(batch([machine(1, macs=MACS, generation=2)], merges=(merge(2, 1, 1, 1),)))
    assert moved(file) == [(1, 1, "1.1"), (1, 2, "2.1")]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({2: "arda-02"}, {"arda-02": 1}),
        ({1: "arda-01", 2: "arda-02"}, {"arda-01": 1, "arda-02": None}),
    ],
    ids=["only the absorbed one had a name", "both had names"],
)
def test_an_absorbed_machine_s_name_stays_taken(
    store: Store, file: Path, given: dict[int, str], left: dict[str, int | None]
) -> None:
    store.write(batch([machine(number, assignment=named(name)) for number, name in given.items()]))
    store.write(batch([machine(1, macs=MACS)], merges=(merge(2, 1, 1, 1),)))
    found = rows(file, "SELECT name, machine_id FROM assignments")
    assert {name: id_ and UUID(id_).int for name, id_ in found} == left


def test_a_removed_machine_leaves_its_name(store: Store, file: Path) -> None:
    store.write(batch([machine(1, assignment=named("arda-01")), machine(2)], [event(1), event(2)]))
    store.write(batch(removals=frozenset({UUID(int=1), UUID(int=9)})))
    assert set(known(file)) == set(MACS[1:])
    assert moved(file) == [(2, 1, "ipxe.efi")]
    assert rows(file, "SELECT name, machine_id FROM assignments") == [("arda-01", None)]


def test_only_the_last_boots_are_kept(store: Store, file: Path) -> None:
    for generation in (1, 2, MOST_BOOTS, MOST_BOOTS + 2):
        store.write(batch([machine(generation=generation)], [event(generation=generation)]))
    assert [number for _, number, _ in moved(file)] == [MOST_BOOTS, MOST_BOOTS + 2]
    assert rows(file, "SELECT count(*), min(generation) FROM boots") == [(2, MOST_BOOTS)]
    assert known(file)[MACS[0]].reached is Stage.NBP
