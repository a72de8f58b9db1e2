"""What one member of etcd tells. Pure."""

from dataclasses import dataclass
from enum import Enum


class Alarm(Enum):
    """What etcd warns of."""

    NONE = 0
    NOSPACE = 1
    CORRUPT = 2


@dataclass(frozen=True, slots=True)
class EtcdStatus:
    """What one member says of itself; sizes in bytes, and ``leader`` is a member's id, 0 without one."""

    member_id: int
    leader: int
    is_learner: bool
    db_size: int
    db_size_in_use: int
    raft_index: int
    raft_applied_index: int
    raft_term: int
    version: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EtcdAlarm:
    """An alarm, and the member that has it."""

    member_id: int
    alarm: Alarm
