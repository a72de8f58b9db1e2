"""What is done with one node of a k3s cluster at a time, so that it is upgraded or restarted. Pure.

What a node is cordoned for is noted on it, so any daemon goes on where another stopped.
"""

from msgspec import Struct

from iluvatar_pxe.layers.ainur.node_tasks import State, Task, Told


class TurnNode(Struct, frozen=True, kw_only=True):
    """One node, as Kubernetes has it, and as it says itself."""

    name: str
    is_server: bool
    is_ready: bool
    version: str
    """Of its kubelet, which is that of its k3s."""
    boot: str
    """Another one after each restart of the machine."""
    note: str = ""
    """What it is cordoned for."""
    is_drained: bool = False
    is_heard: bool = True
    """It asks for tasks."""
    is_late: bool = False
    """It was told long ago what to do."""
    in_memory: bool = False
    """Its root is in memory, so that it gets its programs anew at each start."""
    reboot_required: bool = False
    told: Told | None = None
    """How far it is with its last task."""


class Drain(Struct, frozen=True):
    """Its pods are moved to other nodes, before it is told to do this; ``note`` says what for."""

    name: str
    task: Task
    note: str


class Tell(Struct, frozen=True):
    """It is told to do this, until it has."""

    name: str
    task: Task


class Free(Struct, frozen=True):
    """It may run pods again."""

    name: str


class Wait(Struct, frozen=True):
    """Nothing is done before something has changed; ``why`` is one line."""

    why: str
    name: str = ""
    """The node that is waited for, where it is one."""


class Stop(Struct, frozen=True):
    """Nothing is done before a person has; ``why`` is one line."""

    why: str
    name: str = ""


Step = Drain | Tell | Free | Wait | Stop


def order(nodes: tuple[TurnNode, ...]) -> list[TurnNode]:
    """Return servers first, for no kubelet may be newer than the API server; by name."""
    return sorted(nodes, key=lambda one: (not one.is_server, one.name))


def to_begin(node: TurnNode, hindrance: str) -> Wait | None:
    """Return what keeps a node from being told to do something now; None where nothing does."""
    if hindrance:
        return Wait(hindrance)
    if not node.is_ready:
        return Wait(f"{node.name} is not ready; mend it, or remove its file from machines", node.name)
    if not node.is_heard:
        return Wait(
            f"{node.name} has not asked for tasks for minutes; on it run: journalctl -u iluvatar-tasks",
            node.name,
        )
    return None


def failure(node: TurnNode, task_id: str) -> str:
    """Say why a node has failed with a task; empty where it has not."""
    told = node.told
    if told and told.id == task_id and told.state is State.FAILED:
        return f"{node.name}: {told.why}"
    return ""


def tell(node: TurnNode, task: Task) -> Step:
    """Return that a node is told to do something, or that it has not for too long."""
    told = node.told if node.told and node.told.id == task.id else None
    if why := failure(node, task.id):
        return Stop(why, node.name)
    if node.is_late:
        state = (
            f"it says {told.state}{': ' + told.why if told.why else ''}"
            if told
            else "it says nothing of that"
        )
        return Stop(
            f"{node.name}: is not through with {task.id} in time; {state}; look at its screen, and at: "
            "journalctl -u iluvatar-tasks -u 'k3s*'",
            node.name,
        )
    return Tell(node.name, task)


def drain_then_tell(node: TurnNode, note: str, task: Task) -> Step:
    """Return that a node is drained, and then told to do something."""
    if node.is_late or failure(node, task.id) or (node.note == note and node.is_drained):
        return tell(node, task)
    return Drain(node.name, task, note)
