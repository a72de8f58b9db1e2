"""Which volumes have their last healthy replica on a node, and whether a fleet's number of copies fits its nodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.gitops.changes.starter import starter_files
from iluvatar_pxe.layers.kubernetes.longhorn import Replica, Volume, copies_warning, only_on

PATH = "apps/arda/longhorn.yaml"
STARTER = starter_files()[PATH].decode()
DEFAULT = "kind: Application\nspec:\n  source:\n    chart: longhorn\n"
WELL = {"healthyAt": "2026-01-01T00:00:00Z", "failedAt": ""}


def of(volume: str, node: str, **spec: str) -> Replica:
    return Replica.of({"volumeName": volume, "nodeID": node, **WELL, **spec})


@pytest.mark.parametrize(
    ("replicas", "volumes"),
    [
        ([], ()),
        ([of("v", "a"), of("v", "b")], ()),
        ([of("v", "a"), of("v", "b", failedAt="2026-01-02T00:00:00Z")], ("v",)),
        ([of("v", "a"), of("v", "b", healthyAt="")], ("v",)),  # it is being rebuilt
        ([of("v", "a"), of("v", "a")], ("v",)),
        ([of("v", "a", failedAt="2026-01-02T00:00:00Z"), of("v", "b")], ()),
        ([of("w", "a"), of("v", "a"), of("x", "b")], ("v", "w")),
        ([Replica.of({})], ()),
    ],
)
def test_it_is_the_last_one(replicas: list[Replica], volumes: tuple[str, ...]) -> None:
    assert only_on("a", replicas, {"a", "b"}) == volumes


@pytest.mark.parametrize(
    ("robustness", "is_healthy"),
    [("healthy", True), ("unknown", True), ("degraded", False), ("faulted", False), (None, True)],
)
def test_a_volume_is_as_longhorn_says(robustness: str | None, is_healthy: object) -> None:
    found = Volume.of({"metadata": {"name": "v"}, "status": {"robustness": robustness}})
    assert found == Volume("v", bool(is_healthy))
    assert Volume.of({}).is_healthy, "it is not attached yet"


def test_a_replica_on_a_node_that_does_not_stay_is_none() -> None:
    assert only_on("a", [of("v", "a"), of("v", "b")], {"a"}) == ("v",)


def with_copies(copies: int) -> str:
    return STARTER.replace("defaultClassReplicaCount: 1", f"defaultClassReplicaCount: {copies}")


@pytest.mark.parametrize(
    ("text", "nodes", "why"),
    [
        pytest.param(STARTER, 1, "", id="one node"),
        pytest.param(STARTER, 2, "", id="two nodes, one copy"),
        pytest.param(
            STARTER, 3, "is 1, and nodes that run applications are 3: a volume is lost", id="one copy"
        ),
        pytest.param(
            with_copies(3), 2, "is 3, and nodes that run applications are 2: no volume", id="too many"
        ),
        pytest.param(with_copies(3), 3, "", id="three"),
        pytest.param(with_copies(2), 5, "", id="two of five"),
        pytest.param(with_copies(3), 0, "", id="no node yet"),
        pytest.param(DEFAULT, 2, "is 3, and nodes that run applications are 2: no volume", id="the default"),
        pytest.param(
            f"{DEFAULT}    helm: {{values: 'persistence: {{defaultClassReplicaCount: 2}}'}}\n",
            1,
            "is 2, and nodes that run applications are 1: no volume gets all its copies; write 1",
            id="values as a text",
        ),
        pytest.param(
            "spec: {sources: [{chart: a}, {chart: longhorn}]}\n",
            2,
            "defaultClassReplicaCount is 3",
            id="sources",
        ),
        pytest.param("kind: Application\nspec: {source: {chart: other}}\n", 1, "", id="another chart"),
        pytest.param("spec: [", 1, "", id="no YAML"),
        pytest.param("", 3, "", id="no file"),
    ],
)
def test_copies_and_nodes(text: str, nodes: int, why: str) -> None:
    found = copies_warning(PATH, text, nodes)
    assert why in found
    assert bool(found) == bool(why)
    assert not found or found.startswith(f"{PATH}: ")


@given(st.text(), st.integers(0, 9))
def test_any_text_is_read(text: str, nodes: int) -> None:
    assert "\n" not in copies_warning(PATH, text, nodes)
