"""What etcd loses while a member has no power."""

import pytest

from iluvatar_pxe.layers.quorum import lost_without

THREE = frozenset({"a", "b", "c"})


@pytest.mark.parametrize(
    ("member", "members", "healthy", "others"),
    [
        ("a", THREE, THREE, None),
        ("a", THREE, {"a", "b"}, 1),
        ("c", THREE, {"a", "b"}, None),  # it does not answer, so that nothing is lost
        ("a", THREE, {"a"}, None),  # etcd has stopped already, and a cycle may mend it
        ("d", THREE, {"a", "b"}, None),
        ("a", {"a"}, {"a"}, 0),
        ("a", {"a", "b"}, {"a", "b"}, 1),
    ],
)
def test_quorum_is_lost_by_a_healthy_member_only(
    member: str, members: frozenset[str], healthy: frozenset[str], others: int | None
) -> None:
    said = lost_without(member, members, healthy)
    if others is None:
        assert said == ""
    else:
        assert f"would have {others} of {len(members)} members and needs {len(members) // 2 + 1}" in said


def test_it_is_told_where_nobody_knows() -> None:
    assert "cannot be told" in lost_without("a", frozenset(), frozenset())
