"""Whether a member may leave etcd. Pure."""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def may_leave(member: Key, members: AbstractSet[Key], healthy: AbstractSet[Key]) -> bool:
    """Say whether etcd can agree that a member leaves, and still agree on something afterwards."""
    others = len(healthy - {member})
    agreeing = others + (member in healthy)
    before, after = len(members) // 2 + 1, (len(members) - 1) // 2 + 1
    return agreeing >= before and others >= after
