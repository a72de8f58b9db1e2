"""What one member of etcd tells. Pure."""

from enum import Enum

from msgspec import Struct


class Alarm(Enum):
    """What etcd warns of."""

    NONE = 0
    NOSPACE = 1
    CORRUPT = 2


class EtcdStatus(Struct, frozen=True):
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


class EtcdAlarm(Struct, frozen=True):
    """An alarm, and the member that has it."""

    member_id: int
    alarm: Alarm
