"""The fleet's commits as they were recorded: the latest first, a page at a time."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from inventory.samples import NOW, url_of

from iluvatar_pxe.errors import InventoryError
from iluvatar_pxe.inventory.database.commits import CommitRecord
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.values import replace

FIRST = CommitRecord(
    commit_id="a" * 40,
    at=NOW,
    author="Anna",
    committed_at="2026-11-22T18:00:00+01:00",
    subject="A worker",
    changes=(("arda-01", "boots Talos"), ("arda-02", "is held"), ("arda-03", "is new")),
)
REFUSED = replace(FIRST, commit_id="b" * 40, problem="fleet.yaml:3: no such key", changes=())


async def told(
    inventory: Inventory, before: int | None = None, most: int = 9
) -> Sequence[tuple[str, str, int]]:
    found = await inventory.past_commits(before=before, most=most, most_changes=2)
    return [(one.record.commit_id[0], one.record.problem[:5], one.changed) for one in found]


async def test_they_come_back_as_they_were_recorded(inventory: Inventory) -> None:
    await inventory.record_commit(FIRST)
    (found,) = await inventory.past_commits(before=None, most=9, most_changes=9)
    assert found.record == FIRST
    assert found.changed == 3


async def test_a_page_ends_where_the_next_begins(inventory: Inventory) -> None:
    for letter in "abcde":
        await inventory.record_commit(replace(FIRST, commit_id=letter * 40))
    first = await inventory.past_commits(before=None, most=3, most_changes=0)
    assert [one.record.commit_id[0] for one in first] == ["e", "d", "c"]
    assert await told(inventory, before=first[-1].number) == [("b", "", 3), ("a", "", 3)]
    assert await told(inventory, before=1) == []
    assert await told(inventory, before=2**70, most=1) == [("e", "", 3)]


async def test_what_a_start_recorded_again_is_told_once(inventory: Inventory) -> None:
    for record in (FIRST, replace(FIRST, changes=()), REFUSED, REFUSED, replace(FIRST, changes=())):
        await inventory.record_commit(record)
    assert await told(inventory) == [("a", "", 0), ("b", "fleet", 0), ("a", "", 3)]


async def test_without_a_database_it_is_said_why(tmp_path: Path) -> None:
    inventory = Inventory(url_of(tmp_path / "nowhere" / "inventory.db"))
    with pytest.raises(InventoryError, match="no inventory yet"):
        await inventory.past_commits(before=None, most=1, most_changes=1)
