"""The members of a k3s cluster's etcd, as a server lists them at ``/db/info``. Pure."""

import json
from collections.abc import Mapping

from msgspec import Struct


class EtcdMember(Struct, frozen=True):
    """A member; ``name`` is its node's name with eight random digits."""

    id: int
    name: str
    is_learner: bool = False

    @property
    def node(self) -> str:
        """The name of the node that it is of."""
        return self.name.rpartition("-")[0] or self.name


def parse_members(text: str) -> tuple[EtcdMember, ...]:
    """Return the members that an answer lists; raises ValueError. One that has not started has no name yet."""
    match json.loads(text):
        case {"members": list(found)}:
            return tuple(_member(one) for one in found if isinstance(one, Mapping) and one.get("name"))
    raise ValueError("lists no members")


def _member(found: Mapping[str, object]) -> EtcdMember:
    return EtcdMember(int(str(found.get("ID", 0))), str(found["name"]), bool(found.get("isLearner")))
