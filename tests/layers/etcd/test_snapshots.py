"""When a snapshot is due, from whom it is taken, and which are kept."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm, EtcdStatus
from iluvatar_pxe.layers.etcd.snapshots import KEPT, is_due, name_of, sources, surplus, taken_of

BEGIN, END = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-01-01")
HERE = timezone(timedelta(hours=2))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=HERE)


@pytest.mark.parametrize(
    ("taken", "now", "due"),
    [
        ([], "29T12:00", True),
        (["29T03:00"], "29T03:00", False),
        (["29T03:01"], "29T23:59", False),
        (["29T03:01"], "30T02:59", False),
        (["29T03:01"], "30T03:00", True),
        (["29T02:59"], "29T03:00", True),
        (["28T03:01"], "29T12:00", True),  # missed, and made up
        (["20T03:01", "29T03:05"], "29T12:00", False),
        (["30T03:00"], "29T12:00", True),  # a clock that was wrong
    ],
)
def test_one_is_due_once_for_each_night(taken: list[str], now: str, *, due: bool) -> None:
    assert is_due([at(one).astimezone(UTC) for one in taken], at(now)) is due


@given(st.datetimes(min_value=BEGIN, max_value=END))
def test_a_name_says_when_it_was_taken(taken: datetime) -> None:
    taken = taken.replace(microsecond=0, tzinfo=UTC)
    assert taken_of(name_of(taken)) == taken


@pytest.mark.parametrize("name", ["", ".x.db.age", "2026-11-29T030000Z.db", "2026-13-29T030000Z.db.age"])
def test_other_files_are_no_snapshots(name: str) -> None:
    assert taken_of(name) is None


def test_the_newest_is_never_removed_nor_what_is_no_snapshot() -> None:
    names = [name_of(at(f"{day:02}T03:00")) for day in range(1, 12)]
    assert surplus([*names, "README"], names[-1]) == names[:-KEPT]
    assert surplus(names, names[0]) == names[1 : -KEPT + 1]  # the others are of a clock that was ahead
    assert surplus(names[:KEPT], names[KEPT - 1]) == []


def status(member: int, applied: int = 9, *, leader: int = 1, **other: object) -> EtcdStatus:
    fields: dict[str, object] = {"is_learner": False, "errors": (), **other}
    return EtcdStatus(
        member, leader, db_size=1, db_size_in_use=1, raft_index=9, raft_applied_index=applied, raft_term=1, version="3", **fields  # type: ignore[arg-type]
    )  # fmt: skip


def test_it_is_taken_from_a_healthy_member_that_is_not_behind() -> None:
    asked = {
        "leader": status(1),
        "other": status(2),
        "behind": status(3, 8),
        "learner": status(4, is_learner=True),
        "alone": status(5, leader=0),
        "ill": status(6, errors=("disk",)),
        "corrupt": status(7),
        "full": status(8),
    }
    alarms = [EtcdAlarm(7, Alarm.CORRUPT), EtcdAlarm(8, Alarm.NOSPACE)]
    assert sources(asked, alarms) == ["full", "other", "leader", "behind"]
