"""What a machine's configuration tells: which daemon changes it, its links, and its role."""

from ipaddress import IPv4Address

import pytest
from support.clusters import cluster_facts, machine_facts

from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Contract, Document
from iluvatar_pxe.layers.arda.running import links, responsible, role_in
from iluvatar_pxe.machines.states import Role

ONE, TWO, GONE = (IPv4Address(f"192.168.1.{number}") for number in (2, 3, 9))
SINK: Document = {"kind": "EventSinkConfig", "endpoint": f"{TWO}:3333"}
LOG: Document = {"kind": "KmsgLogConfig", "name": "iluvatar-pxe", "url": f"tcp://{TWO}:3334"}


@pytest.mark.parametrize(
    ("documents", "daemons", "expected"),
    [
        ((SINK, LOG), {ONE, TWO}, TWO),
        ((LOG,), {ONE, TWO}, TWO),
        ((SINK,), {ONE, GONE}, ONE),
        ((), {GONE, TWO}, TWO),
        (({"kind": "EventSinkConfig", "endpoint": "collector:1"},), {TWO}, TWO),
    ],
)
def test_who_changes_a_machine(
    documents: tuple[Document, ...], daemons: set[IPv4Address], expected: IPv4Address
) -> None:
    assert responsible(documents, daemons) == expected


@pytest.mark.parametrize("role", [Role.CONTROLPLANE, Role.WORKER])
@pytest.mark.parametrize("contract", Contract)
def test_links_keep_their_order_and_none_is_lost(contract: Contract, role: Role) -> None:
    made = documents_of(cluster_facts(contract), machine_facts(role))
    there = links(made, ())
    new = "52:54:00:ff:00:01"
    assert len(there) == 2
    assert links(made, there[::-1]) == there
    assert links(made, [new]) == (new, *there)
    assert links(made, [there[1], new]) == (there[1], new, there[0])
    assert role_in(made) is role
