"""Which node of a k3s cluster is upgraded next, and how. Pure.

One node at a time, servers first: k3s' files are replaced, and k3s restarts while containers go on. Servers are drained
before it, as k3s advises, for pods may restart. A node whose root is in memory is drained and restarts, by which it gets the
version of its cluster's record.
"""

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from iluvatar_pxe.layers.ainur.node_tasks import Kind, Task
from iluvatar_pxe.layers.ainur.turns import (
    Free,
    Step,
    Stop,
    TurnNode,
    Wait,
    drain_then_tell,
    order,
    tell,
    to_begin,
)

UPGRADE = "upgrade/"
"""What notes of nodes begin with that are upgraded."""
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)\+k3s(\d+)")
_Version = tuple[int, int, int, int]


class Plan(Struct, frozen=True):
    """What a cluster is upgraded to. ``attempt`` is another one each time that somebody asks for it."""

    version: str
    attempt: int
    assets: Sequence[Mapping[str, str]] = ()
    """What a node downloads for that."""
    missing: str = ""
    """Why these are not known yet, in one line."""

    @property
    def id(self) -> str:
        """What a node knows it by."""
        return f"{UPGRADE}{self.version}/{self.attempt}"


def next_upgrade(nodes: tuple[TurnNode, ...], plan: Plan, hindrance: str) -> Step | None:
    """Return what is next; None where all nodes run the version, and none is cordoned for that.

    ``hindrance`` is why no other node may begin, in one line.
    """
    ordered = order(nodes)
    under_way = [one for one in ordered if one.note.startswith(UPGRADE)]
    behind = [one for one in ordered if one.version != plan.version]
    if behind and (why := refusal({one.name: one.version for one in behind}, plan.version)):
        return Stop(why)
    if plan.missing and behind and not under_way:
        return Wait(plan.missing)
    for one in (*under_way, *behind):
        return _of(one, plan, hindrance)
    return None


def refusal(versions: Mapping[str, str], wanted: str) -> str:
    """Say why nodes cannot be upgraded to a version; empty where they can. ``versions`` are those that they run, by name."""
    to = _numbers(wanted)
    for name, version in sorted(versions.items()):
        if not (found := _numbers(version)) or not to:
            return f"{name} runs {version or 'no known version'}, which cannot be compared with {wanted}"
        if found > to:
            return f"{name} runs {version}, which is newer than {wanted}: k3s has no way back; set k3s.version to it"
        if (found[0], found[1] + 1) < to[:2]:
            return (
                f"{name} runs {version}, and no minor version may be skipped on the way to {wanted}; "
                f"first set k3s.version to one of v{found[0]}.{found[1] + 1}"
            )
    return ""


def _of(node: TurnNode, plan: Plan, hindrance: str) -> Step:
    task = _task(node, plan)
    note = f"{plan.id}/{node.boot}" if node.in_memory else plan.id
    is_begun = f"{node.note}/".startswith(f"{plan.id}/") or bool(node.told and node.told.id == task.id)
    if node.version == plan.version:
        return _comes_back(node, task)
    if not is_begun and (wait := to_begin(node, hindrance)):
        return wait
    if node.in_memory and is_begun and node.note != note:  # it has restarted since
        return _comes_back(node, task) if not node.is_ready else _runs_the_old_one(node, plan)
    if node.is_server or node.in_memory:
        return drain_then_tell(node, note, task)
    return tell(node, task)


def _task(node: TurnNode, plan: Plan) -> Task:
    if node.in_memory:
        return Task(plan.id, Kind.REBOOT, {"boot": node.boot})
    return Task(plan.id, Kind.UPGRADE, {"version": plan.version, "assets": plan.assets})


def _comes_back(node: TurnNode, task: Task) -> Step:
    """Return what is next for a node that has restarted, or that is about to be ready."""
    if node.is_ready:
        return Free(node.name)
    if node.is_late:
        return tell(node, task)
    return Wait(f"{node.name} starts", node.name)


def _runs_the_old_one(node: TurnNode, plan: Plan) -> Stop:
    return Stop(
        f"{node.name}: has restarted, and still runs {node.version}, not {plan.version}; restart it once more, from "
        "the network",
        node.name,
    )


def _numbers(version: str) -> _Version | None:
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2]), int(found[3]), int(found[4])) if found else None
