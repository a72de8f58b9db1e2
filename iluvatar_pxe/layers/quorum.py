"""Whether a member may leave etcd, or be without power. Pure."""

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


def too_few(member: Key, members: AbstractSet[Key], healthy: AbstractSet[Key]) -> str:
    """Say why a member may not leave etcd, and what to do instead; empty where it may."""
    if may_leave(member, members, healthy):
        return ""
    others = len(healthy - {member})
    return f"{others} healthy members would be left of etcd's {len(members)}, which are too few; mend the others first"


def lost_without(member: Key, members: AbstractSet[Key], healthy: AbstractSet[Key]) -> str:
    """Say what etcd loses while a member has no power; empty where it goes on, or has stopped already."""
    if not members:
        return "nobody lists the members of its cluster's etcd, so what it loses cannot be told"
    others, quorum = len(healthy - {member}), len(members) // 2 + 1
    if member not in members or member not in healthy or others >= quorum or len(healthy) < quorum:
        return ""
    return (
        f"its cluster's etcd would have {others} of {len(members)} members and needs {quorum}, so nothing in the "
        "cluster changes until it is back"
    )
