"""Which node of a cluster is upgraded next: cases, and clusters that are upgraded step by step to the end."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.ainur.node_tasks import Kind, State, Told
from iluvatar_pxe.layers.ainur.turns import Drain, Free, Step, Stop, Tell, TurnNode, Wait
from iluvatar_pxe.layers.ainur.upgrade import Plan, next_upgrade, refusal
from iluvatar_pxe.values import replace

OLD, NEW = "v1.36.3+k3s1", "v1.37.0+k3s1"
PLAN = Plan(NEW, 1, ({"to": "/usr/local/bin/k3s"},))
ID = f"upgrade/{NEW}/1"


def node(name: str = "a", **more: Any) -> TurnNode:
    given = {"is_server": True, "is_ready": True, "version": OLD, "boot": "boot-1"}
    return TurnNode(name=name, **{**given, **more})


def agent(name: str = "z", **more: Any) -> TurnNode:
    return node(name, is_server=False, **more)


def step(*nodes: TurnNode, hindrance: str = "", plan: Plan = PLAN) -> Step | None:
    return next_upgrade(nodes, plan, hindrance)


def told(state: State, why: str = "", task: str = ID) -> Told:
    return Told(task, state, why)


DRAINED: Mapping[str, Any] = {"note": ID, "is_drained": True}
IN_MEMORY: Mapping[str, Any] = {"in_memory": True, "note": f"{ID}/boot-1", "is_drained": True}
CASES: Mapping[str, tuple[Step | None, str]] = {
    "all run it": (step(node(version=NEW), agent(version=NEW)), "None"),
    "a server is drained first": (step(agent("a"), node("z")), "Drain z"),
    "a drained server is told": (step(node(**DRAINED)), "Tell a upgrade"),
    "an agent is told without being drained": (step(agent()), "Tell z upgrade"),
    "a node that runs it is freed": (step(node(**DRAINED, version=NEW), node("b")), "Free a"),
    "it is waited for until it is ready": (
        step(node(**DRAINED, version=NEW, is_ready=False)),
        "Wait a starts",
    ),
    "a node that is away after it was told goes on": (
        step(node(**DRAINED, is_ready=False), node("b")),
        "Tell a upgrade",
    ),
    "a hindrance keeps the next one": (
        step(node(version=NEW), node("b"), hindrance="x joins first"),
        "Wait x joins first",
    ),
    "a hindrance does not keep one that has begun": (step(node(**DRAINED), hindrance="x"), "Tell a upgrade"),
    "an agent that has begun goes on": (step(agent(told=told(State.BEGUN)), hindrance="x"), "Tell z upgrade"),
    "one that asks for nothing is not drained": (
        step(node(is_heard=False)),
        "Wait a has not asked for tasks",
    ),
    "one that is not ready is waited for": (step(node(is_ready=False)), "Wait a is not ready"),
    "a failure stops": (
        step(node(**DRAINED, told=told(State.FAILED, "no room")), node("b")),
        "Stop a: no room",
    ),
    "an agent's failure stops": (step(agent(told=told(State.FAILED, "no room"))), "Stop z: no room"),
    "an earlier failure does not": (
        step(node(**DRAINED, told=told(State.FAILED, "no room", f"upgrade/{NEW}/0"))),
        "Tell a upgrade",
    ),
    "the note of an earlier attempt begins anew": (
        step(node(note=f"upgrade/{NEW}/11", is_drained=True)),
        "Drain a",
    ),
    "one that takes too long stops": (
        step(node(**DRAINED, is_late=True)),
        "Stop a: is not through with upgrade/",
    ),
    "what it says is told": (
        step(node(**DRAINED, is_late=True, told=told(State.WAITS, "no daemon"))),
        "Stop a: is not through with upgrade/v1.37.0+k3s1/1 in time; it says waits: no daemon",
    ),
    "one in memory is drained": (step(agent(in_memory=True)), "Drain z"),
    "one in memory restarts": (step(agent(**IN_MEMORY)), "Tell z reboot"),
    "one in memory that starts is waited for": (
        step(agent(**IN_MEMORY, boot="boot-2", is_ready=False)),
        "Wait z starts",
    ),
    "one in memory is freed": (step(agent(**IN_MEMORY, boot="boot-2", version=NEW)), "Free z"),
    "one in memory never restarts twice": (
        step(agent(**IN_MEMORY, boot="boot-2")),
        "Stop z: has restarted, and still runs",
    ),
    "no way back": (step(node(version="v1.37.1+k3s1")), "Stop a runs v1.37.1+k3s1, which is newer"),
    "no minor version is skipped": (
        step(node(), node("b", version="v1.35.9+k3s1")),
        "Stop b runs v1.35.9+k3s1, and no minor",
    ),
    "files that are not here": (
        step(node(), plan=Plan(NEW, 1, missing="not there yet")),
        "Wait not there yet",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_next(case: str) -> None:
    found, wanted = CASES[case]
    assert shown(found).startswith(wanted), shown(found)


def shown(found: Step | None) -> str:
    match found:
        case Tell(name, task):
            return f"Tell {name} {task.kind}"
        case Drain(name) | Free(name):
            return f"{type(found).__name__} {name}"
        case Wait(why) | Stop(why):
            return f"{type(found).__name__} {why}"
    return "None"


@pytest.mark.parametrize(
    ("running", "is_refused"),
    [
        (NEW, False),
        ("v1.36.0+k3s2", False),
        ("v1.37.0+k3s2", True),
        ("v1.35.0+k3s1", True),
        ("v2.0.0+k3s1", True),
        ("", True),
    ],
)
def test_a_version_is_refused_that_cannot_be_reached(running: str, is_refused: object) -> None:
    assert bool(refusal({"a": running}, NEW)) is is_refused


NODES = st.builds(
    node,
    name=st.uuids().map(lambda one: one.hex[:8]),
    is_server=st.booleans(),
    in_memory=st.booleans(),
    version=st.sampled_from([OLD, NEW]),
)


@given(st.lists(NODES, max_size=6, unique_by=lambda one: one.name))
def test_every_cluster_is_upgraded_one_node_at_a_time_and_servers_first(nodes: list[TurnNode]) -> None:
    cluster, changed = {one.name: one for one in nodes}, list[TurnNode]()
    for _ in range(4 * len(nodes) + 1):
        found = next_upgrade(tuple(cluster.values()), PLAN, "")
        if found is None:
            break
        assert not isinstance(found, Wait | Stop)
        one = cluster[found.name]
        cluster[one.name] = after(found, one)
        if isinstance(found, Tell):
            assert one.is_drained or not (one.is_server or one.in_memory)
            changed.append(one)
        assert len([other for other in cluster.values() if other.note]) <= 1
    assert {one.version for one in cluster.values()} <= {NEW}
    assert not [one for one in cluster.values() if one.note]
    assert [one.name for one in changed] == [
        one.name for one in sorted(nodes, key=lambda one: (not one.is_server, one.name)) if one.version == OLD
    ]


def after(found: Step, one: TurnNode) -> TurnNode:
    """Return what a node is after a step was done with it."""
    match found:
        case Drain(_, _, note):
            return replace(one, note=note, is_drained=True)
        case Tell(_, task):
            boot = "boot-2" if task.kind is Kind.REBOOT else one.boot
            return replace(one, version=NEW, boot=boot, told=Told(task.id, State.DONE))
    return replace(one, note="", is_drained=False)
