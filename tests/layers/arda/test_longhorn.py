"""Which volumes have their last healthy replica on a node."""

import pytest

from iluvatar_pxe.layers.arda.longhorn import Replica, only_on

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
    assert only_on("a", replicas) == volumes
