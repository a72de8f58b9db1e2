"""Snapshots of a cluster's etcd: when one is due, from whom, how it is called, and which are kept. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta

from msgspec import Struct

from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm, EtcdStatus

KEPT = 7
NIGHTLY = time(3)
"""By the host's clock and time zone."""
_FORM = "%Y-%m-%dT%H%M%SZ"
_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)\.db\.age", re.ASCII)


class KeptSnapshot(Struct, frozen=True):
    """A whole snapshot, sealed; ``size`` is that of its file in bytes."""

    taken: datetime
    size: int

    @property
    def name(self) -> str:
        """Of its file."""
        return name_of(self.taken)


def name_of(taken: datetime) -> str:
    """Return the name of a snapshot's file."""
    return f"{taken.astimezone(UTC):{_FORM}}.db.age"


def taken_of(name: str) -> datetime | None:
    """Return when the snapshot of this name was taken; None for other files."""
    found = _NAME.fullmatch(name)
    try:
        return datetime.strptime(found[1], _FORM).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def is_due(taken: Iterable[datetime], now: datetime) -> bool:
    """Say whether none was taken since the last time of night; ``now`` is in the host's time zone.

    Those of the future do not count: a clock that was once wrong would end all snapshots.
    """
    last = now.replace(hour=NIGHTLY.hour, minute=NIGHTLY.minute, second=0, microsecond=0)
    if last > now:
        last -= timedelta(days=1)
    return not any(last <= one <= now for one in taken)


def surplus(names: Iterable[str], newest: str) -> list[str]:
    """Return which files to remove, so that ``newest`` and the latest others stay; nothing but snapshots."""
    others = sorted(name for name in names if taken_of(name) and name != newest)
    return others[: -(KEPT - 1)]


def sources(asked: Mapping[str, EtcdStatus], alarms: Collection[EtcdAlarm]) -> list[str]:
    """Return the control planes with a healthy etcd, best first: those that have applied most, the leader last."""
    corrupt = {one.member_id for one in alarms if one.alarm is Alarm.CORRUPT}
    healthy = {name: one for name, one in asked.items() if _is_healthy(one) and one.member_id not in corrupt}
    return sorted(healthy, key=lambda name: (-healthy[name].raft_applied_index, _leads(healthy[name]), name))


def _is_healthy(status: EtcdStatus) -> bool:
    return bool(status.leader) and not status.is_learner and not status.errors


def _leads(status: EtcdStatus) -> bool:
    return status.leader == status.member_id
