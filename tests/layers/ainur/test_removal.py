"""How a node leaves a k3s cluster, when it stays, and what may be left of it."""

import re
from ipaddress import IPv4Address

import pytest
from support.machines import machine_of

from iluvatar_pxe.layers.ainur.etcd_members import EtcdMember, parse_members
from iluvatar_pxe.layers.ainur.removal import (
    Act,
    Leaver,
    Servers,
    Why,
    doubts,
    gone_nodes,
    next_act,
    strays,
)
from iluvatar_pxe.layers.kubernetes.node import Node
from iluvatar_pxe.layers.leaving import Hold
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.values import replace

AGENT = Leaver(name="w", why=Why.GONE)
SERVER = Leaver(name="a", why=Why.REINSTALL, is_server=True)
LOST = Leaver(name="a", why=Why.LOST, is_server=True)
MEMBER = EtcdMember(10, "a-0123abcd")


def servers(healthy: str, members: str = "abc", staying: str = "bc", listed: str = "abc") -> Servers:
    """Return servers by letters; ``a`` is the one that leaves."""
    well = frozenset(healthy)
    return Servers(frozenset(members), well, well & set(staying), frozenset(listed) - well)


@pytest.mark.parametrize(
    ("one", "state", "act"),
    [
        (AGENT, servers("abc"), Act.DRAIN),
        (replace(AGENT, is_drained=True), servers("abc"), Act.DELETE_NODE),
        (replace(AGENT, is_ready=False, is_lost=True), servers("abc"), Act.DELETE_NODE),
        (replace(AGENT, is_drained=True, last_replicas=("v",)), servers("abc"), Act.DELETE_NODE),
        (replace(AGENT, is_node=False, has_password=True), servers("abc"), None),
        (replace(AGENT, why=Why.REINSTALL), servers("b"), Act.DRAIN),
        (SERVER, servers("abc"), Act.DRAIN),
        (replace(SERVER, is_drained=True), servers("abc"), Act.DELETE_NODE),
        (replace(SERVER, is_drained=True), servers("ab", "ab", "b", "ab"), Act.DELETE_NODE),
        (replace(SERVER, is_node=False), servers("bc"), None),
        (LOST, servers("bc"), Act.DELETE_NODE),
        (LOST, servers("bcd", "abcde", "bcd"), Act.DELETE_NODE),
        (replace(LOST, is_ready=False), servers("bc"), Act.DELETE_NODE),
        (replace(SERVER, why=Why.GONE, is_drained=True), servers("abc", listed="bc"), Act.DELETE_NODE),
    ],
)
def test_it_is_done(one: Leaver, state: Servers, act: Act | None) -> None:
    assert next_act(one, state) == act


@pytest.mark.parametrize(
    ("one", "state", "why"),
    [
        (replace(AGENT, is_due=False), servers("abc"), "unless the file is back by then"),
        (replace(AGENT, is_ready=False), servers("abc"), "it may be restarting"),
        (replace(AGENT, waits_for="b"), servers("abc"), "b comes first"),
        (replace(AGENT, last_replicas=("u", "v")), servers("abc"), "last healthy replica of Longhorn's volumes u, v"),
        (AGENT, servers("a"), "no other server that the fleet lists is ready"),
        (SERVER, servers("a", "a", "", "a"), "no other server that the fleet lists is ready"),
        (SERVER, servers("ab"), "c is not ready, and servers leave one at a time"),
        (replace(SERVER, why=Why.GONE), servers("ab"), "1 healthy members would be left of etcd's 3"),
        (LOST, servers("b"), "1 healthy members would be left of etcd's 3"),
        (LOST, servers("b", "ab"), "1 healthy members would be left of etcd's 2"),
        (replace(LOST, is_answering=True), servers("bc"), "k3s runs there"),
        (replace(SERVER, is_node=False, members=(MEMBER,)), servers("bc"), r"still has its member a-0123abcd \(a\)"),
        (replace(LOST, is_node=False, has_password=True), servers("bc"), "delete secret a.node-password.k3s"),
    ],
)  # fmt: skip
def test_it_is_held(one: Leaver, state: Servers, why: str) -> None:
    act = next_act(one, state)
    assert isinstance(act, Hold)
    assert re.search(why, act.why)


def test_members_are_read_with_names_and_numbers_in_either_form() -> None:
    text = '{"members":[{"ID":10,"name":"a-0123abcd"},{"ID":"11","name":"b-1-89abcdef","isLearner":true},{"ID":12}]}'
    found = parse_members(text)
    assert found == (MEMBER, EtcdMember(11, "b-1-89abcdef", is_learner=True))
    assert [one.node for one in found] == ["a", "b-1"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"members": {}}', '{"members":[{"ID":"x","name":"a"}]}'])
def test_what_lists_no_members(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its one contract
        parse_members(text)


def gone(node: str) -> Machine:
    """A machine at 10.0.0.1 that has left the fleet, and was seen as this Node."""
    return machine_of("2c:cf:67:00:00:01", address=IPv4Address("10.0.0.1"), report=Report(node=node))


@pytest.mark.parametrize(
    ("was", "leaves", "is_doubted"),
    [("ainur/w", True, False), ("ainur/v", False, False), ("other/w", False, False), ("", False, True)],
)
def test_a_node_is_that_of_a_machine_only_if_it_was_seen_as_that(
    was: str, *, leaves: bool, is_doubted: bool
) -> None:
    at = frozenset({"10.0.0.1"})
    node = Node("w", is_ready=True, is_unschedulable=False, boot="boot-1", note="", addresses=at)
    assert gone_nodes("ainur", [node], [gone(was)]) == ({"w"} if leaves else set())
    assert [line.partition(":")[0] for line in doubts([node], [gone(was)])] == ["w"] * is_doubted
    assert not doubts([replace(node, addresses=frozenset({"10.0.0.2"}))], [gone(was)])


def test_members_without_a_node_are_strays_unless_the_fleet_lists_them() -> None:
    gone = EtcdMember(11, "b-89abcdef")
    assert strays([MEMBER, gone], {"a"}, {"a"}) == {"b"}
    assert strays([MEMBER, gone], {"a"}, {"a", "b"}) == frozenset()
