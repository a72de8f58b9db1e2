"""Which node of a k3s cluster restarts next, because its operating system has updates that need it. Pure.

One node at a time: it is drained, restarts, and may run pods again once it is ready. One whose root is in memory does not
restart for that: it would begin with the image's own programs again.
"""

from iluvatar_pxe.layers.ainur.node_tasks import Kind, Task
from iluvatar_pxe.layers.ainur.turns import Free, Step, TurnNode, Wait, drain_then_tell, order, tell, to_begin

REBOOT = "reboot/"
"""What notes of nodes begin with that restart; the boot follows that is to end."""


def next_reboot(nodes: tuple[TurnNode, ...], hindrance: str) -> Step | None:
    """Return what is next; None where no node has to restart. ``hindrance`` is why no other node may begin, in one line."""
    ordered = order(nodes)
    for one in ordered:
        if one.note.startswith(REBOOT):
            return _goes_on(one)
    for one in ordered:
        if one.reboot_required and not one.in_memory:
            return to_begin(one, hindrance) or drain_then_tell(one, REBOOT + one.boot, _task(one.boot))
    return None


def _goes_on(node: TurnNode) -> Step:
    boot = node.note.removeprefix(REBOOT)
    if boot == node.boot:
        return drain_then_tell(node, node.note, _task(boot))
    if node.is_ready:
        return Free(node.name)
    if node.is_late:
        return tell(node, _task(boot))
    return Wait(f"{node.name} restarts", node.name)


def _task(boot: str) -> Task:
    return Task(REBOOT + boot, Kind.REBOOT, {"boot": boot})
