"""Certificates are renewed by restarts in turn, servers first, and nothing that runs waits for what is broken for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.ainur.renewal import Renewed, Restart, Standing, Step, Wait, next_renewal
from iluvatar_pxe.values import replace

NOW = datetime(2026, 12, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
CA_END = NOW + 3700 * DAY


def node(
    name: str, days: float | None, *, ready: bool = True, restarted: timedelta | None = None
) -> Standing:
    """A node, a server unless its name says that it is an agent; ``days`` its certificates are valid."""
    return Standing(
        name=name,
        is_server=not name.startswith("agent"),
        is_ready=ready,
        end=None if days is None else NOW + days * DAY,
        restarted=None if restarted is None else NOW - restarted,
    )


def words(step: Step) -> str:
    """Return a step in few words."""
    match step:
        case Restart(name=name):
            return f"restart {name}"
        case Wait(names=names, is_stuck=is_stuck):
            return f"{'stuck' if is_stuck else 'wait'} {' '.join(names)}"
        case Renewed():
            return "renewed"


@pytest.mark.parametrize(
    ("nodes", "step"),
    [
        ([], "renewed"),
        ([node("a", 120), node("b", 300)], "renewed"),
        ([node("a", None), node("b", None, ready=False)], "renewed"),
        ([node("a", 119.9)], "restart a"),
        ([node("a", -3)], "restart a"),
        ([node("b", 50), node("a", 60), node("c", 40)], "restart c"),
        ([node("b", 50), node("a", 50)], "restart a"),
        ([node("agent-1", 5), node("a", 110)], "restart a"),
        ([node("agent-1", 5), node("a", 300)], "restart agent-1"),
        ([node("agent-2", 5), node("agent-1", 300, ready=False), node("a", 300)], "restart agent-2"),
        ([node("a", 50), node("b", 300, ready=False)], "stuck b"),
        ([node("agent-1", 50), node("b", 300, ready=False)], "stuck b"),
        ([node("a", 50), node("b", 365, ready=False, restarted=MINUTE)], "wait b"),
        ([node("a", 50), node("b", 365, ready=False, restarted=16 * MINUTE)], "stuck b"),
        ([node("agent-1", 50), node("agent-2", 365, ready=False, restarted=MINUTE)], "wait agent-2"),
        ([node("agent-1", 50), node("agent-2", 365, ready=False, restarted=2 * DAY)], "restart agent-1"),
        ([node("a", 50), node("b", 365, restarted=MINUTE)], "restart a"),
        ([node("a", -1, ready=False), node("b", -1, ready=False)], "restart a"),
        ([node("a", -1, ready=False, restarted=MINUTE), node("b", -1, ready=False)], "restart b"),
        ([node("a", 50), node("agent-1", -1, ready=False)], "restart agent-1"),
        ([node("a", 50, restarted=MINUTE)], "wait a"),
        ([node("a", 50, restarted=MINUTE), node("b", 60)], "wait a"),
        ([node("a", 50, restarted=16 * MINUTE)], "stuck a"),
        ([node("a", 50, restarted=16 * MINUTE), node("b", 60)], "restart b"),
        ([node("a", 50, restarted=DAY)], "restart a"),
        ([node("a", 3700), node("b", 4000)], "renewed"),
    ],
)
def test_what_is_restarted_next(nodes: list[Standing], step: str) -> None:
    assert words(next_renewal(nodes, CA_END, NOW)) == step


def test_certificates_that_end_with_their_ca_are_not_renewed() -> None:
    nodes = [node("a", 30), node("b", 31)]
    assert next_renewal(nodes, NOW + 30 * DAY, NOW) == Renewed()


def test_why_is_told_in_one_line_with_what_to_do() -> None:
    assert next_renewal([node("a", 30)], CA_END, NOW) == Restart(
        "a", "its certificates end on 2026-12-31, and k3s renews them when it starts"
    )
    stuck = next_renewal([node("a", 50), node("b", 300, ready=False)], CA_END, NOW)
    assert isinstance(stuck, Wait)
    assert stuck.why.startswith(
        "b: not ready, and certificates are renewed by restarts of one node at a time; look"
    )


STANDINGS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.integers(-30, 119) | st.integers(121, 400)),
    min_size=1,
    max_size=9,
).map(
    lambda found: [
        replace(node(f"n{number}", days, ready=is_ready or days > 0), is_server=is_server)
        for number, (is_server, is_ready, days) in enumerate(found)
    ]
)
"""Nodes of which those are not ready whose certificates have ended, or some of them."""


@given(STANDINGS)
def test_in_the_end_all_are_renewed_once_and_no_ready_node_is_restarted_while_a_server_is_not(
    nodes: list[Standing],
) -> None:
    standing, now, restarts = {one.name: one for one in nodes}, NOW, []
    while isinstance(step := next_renewal(list(standing.values()), CA_END, now), Restart):
        chosen = standing[step.name]
        if chosen.is_ready:
            assert all(one.is_ready for one in standing.values() if one.is_server)
        restarts.append(step.name)
        standing[step.name] = replace(chosen, end=now + 365 * DAY, restarted=now, is_ready=False)
        waits = next_renewal(list(standing.values()), CA_END, now)
        if isinstance(waits, Restart):
            assert not standing[waits.name].is_ready
        standing[step.name] = replace(standing[step.name], is_ready=True)
        now += MINUTE
    assert step == Renewed()
    due = [one.name for one in nodes if one.end and one.end - NOW < 120 * DAY]
    assert sorted(restarts) == sorted(due)
