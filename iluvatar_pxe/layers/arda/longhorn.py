"""Which data only one node has, by Longhorn's resources. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a volume."""

    volume: str
    node: str
    is_healthy: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """Return it from ``spec`` of a Replica: it was complete once, and has not failed since."""
        is_healthy = bool(spec.get("healthyAt")) and not spec.get("failedAt")
        return cls(str(spec.get("volumeName", "")), str(spec.get("nodeID", "")), is_healthy)


def only_on(node: str, replicas: Iterable[Replica]) -> tuple[str, ...]:
    """Return the volumes whose healthy replicas are all on this node, by name."""
    holders: dict[str, set[str]] = {}
    for one in replicas:
        if one.is_healthy:
            holders.setdefault(one.volume, set()).add(one.node)
    return tuple(sorted(volume for volume, nodes in holders.items() if nodes == {node}))
