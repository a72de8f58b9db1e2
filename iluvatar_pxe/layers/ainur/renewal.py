"""Which node of a k3s cluster is restarted next, so that its certificates are renewed. Pure.

k3s renews certificates when it starts, never while it runs: those of servers by itself, those of agents from a server.
Containers go on while it restarts. So one node is restarted at a time, servers first; nodes that are not ready are
restarted whatever the others are, for ended certificates may be why.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

RENEWED_BELOW = timedelta(days=120)
"""k3s renews, at a start, certificates that are valid for less than this; before May 2025 it was 90 days."""
AGAIN = timedelta(days=1)
"""A node is not restarted for this more often."""
PATIENCE = timedelta(minutes=15)
"""A node that is restarted is ready again before this, as a rule."""


class Standing(Struct, frozen=True, kw_only=True):
    """How one node of a cluster is."""

    name: str
    is_server: bool
    is_ready: bool
    end: datetime | None = None
    """When the first of its certificates ends; None if that is not known."""
    restarted: datetime | None = None
    """When it was last restarted for this; None if it never was."""


class Restart(Struct, frozen=True):
    """This node's k3s is restarted; ``why`` is one line."""

    name: str
    why: str


class Wait(Struct, frozen=True):
    """Nothing is restarted before these have changed; ``why`` is one line. ``is_stuck``: not without a person."""

    why: str
    names: tuple[str, ...]
    is_stuck: bool = False


class Renewed(Struct, frozen=True):
    """No certificate ends soon that a restart would renew."""


Step = Restart | Wait | Renewed


def next_renewal(nodes: Sequence[Standing], ca_end: datetime, now: datetime) -> Step:
    """Return what is to be done next.

    ``ca_end`` is when the first of the cluster's CAs ends: certificates that are valid until then cannot be renewed.
    """
    due = sorted(
        (one for one in nodes if one.end and one.end < ca_end and one.end - now < RENEWED_BELOW), key=_order
    )
    if not due:
        return Renewed()
    untried = [one for one in due if not _is_tried(one, now)]
    if ailing := [one for one in untried if not one.is_ready]:
        return _restart(ailing[0])
    if wait := _wait_for_others(nodes, now) or _wait_for_new(due, now):
        return wait
    if untried:
        return _restart(untried[0])
    return Wait(
        f"{_names(due)}: restarted, and their certificates still end soon; look at k3s' log there: journalctl -u 'k3s*'",
        tuple(one.name for one in due),
        is_stuck=True,
    )


def _order(node: Standing) -> tuple[bool, datetime | None, str]:
    """Agents get theirs from servers, so these come first."""
    return not node.is_server, node.end, node.name


def _is_tried(node: Standing, now: datetime) -> bool:
    return node.restarted is not None and now - node.restarted < AGAIN


def _wait_for_others(nodes: Sequence[Standing], now: datetime) -> Wait | None:
    """Wait until the node that was restarted is ready, and all servers are: etcd needs most of them."""
    absent = [one for one in nodes if not one.is_ready and (one.is_server or _is_tried(one, now))]
    if not absent:
        return None
    coming = [one for one in absent if one.restarted and now - one.restarted < PATIENCE]
    return Wait(
        f"{_names(absent)}: not ready, and certificates are renewed by restarts of one node at a time; "
        + ("they are starting" if coming else "look at their screens"),
        tuple(one.name for one in absent),
        is_stuck=not coming,
    )


def _wait_for_new(due: Sequence[Standing], now: datetime) -> Wait | None:
    """Wait until the node that was restarted tells of new certificates: Kubernetes has it ready for a while meanwhile."""
    starting = [one for one in due if one.restarted and now - one.restarted < PATIENCE]
    if not starting:
        return None
    return Wait(
        f"{_names(starting)}: k3s restarts, and renews its certificates", tuple(one.name for one in starting)
    )


def _restart(node: Standing) -> Restart:
    return Restart(
        node.name, f"its certificates end on {node.end:%Y-%m-%d}, and k3s renews them when it starts"
    )


def _names(nodes: Sequence[Standing]) -> str:
    return ", ".join(one.name for one in nodes)
