"""What ``stable`` stands for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.catalogue.versions import CONTRACTS, k3s_stable, newest_stable

LISTED = ("v1.12.11", "v1.13.0", "v1.13.9", "v1.13.10", "v1.14.0-rc.1", "v1.14.0", "v1.14.1", "v1.15.0")


@pytest.mark.parametrize(
    ("versions", "broken", "expected"),
    [
        (LISTED, (), "v1.14.1"),
        (LISTED, ("v1.14.1",), "v1.14.0"),
        (LISTED, ("v1.14.1", "v1.14.0"), "v1.13.10"),
        (("v1.13.9", "v1.14.0-rc.1", "v1.14.0-beta.0"), (), "v1.13.9"),
        (("v1.13.10", "v1.13.9"), (), "v1.13.10"),
        (("v1.12.11", "v1.15.0", "v2.13.0"), (), None),
        (("1.14.0", "v1.14", "v1.14.0 ", "v1.14.0+x", "v1.14.٣"), (), None),
        (("v1.14.0", "v1.14.02", "v1.014.3", "v01.14.4"), ("v1.14.2",), "v1.14.0"),
        ((), (), None),
    ],
)
def test_the_newest_patch_of_the_newest_supported_release_that_is_none_of_the_broken(
    versions: tuple[str, ...], broken: tuple[str, ...], expected: str | None
) -> None:
    assert newest_stable(versions, broken) == expected
    assert newest_stable(reversed(versions), broken) == expected


@given(st.lists(st.from_regex(r"\Av1\.1[2-5]\.(0|[1-9][0-9]?)(-rc\.[0-9])?\Z")), st.data())
def test_nothing_broken_no_prerelease_and_nothing_unsupported_is_ever_chosen(
    versions: list[str], data: st.DataObject
) -> None:
    broken = data.draw(st.sets(st.sampled_from(versions))) if versions else set[str]()
    chosen = newest_stable(versions, broken)
    fit = [one for one in versions if one not in broken and "-" not in one and one[3:5] in {"13", "14"}]
    assert (chosen in fit) if fit else chosen is None
    assert newest_stable(versions, broken, CONTRACTS - {(1, 13), (1, 14)}) is None


STABLE = {"id": "stable", "name": "stable", "latest": "v1.36.3+k3s1", "links": {"self": "https://x/y"}}
LATEST = {"id": "latest", "name": "latest", "latest": "v1.37.1+k3s1"}


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({"type": "collection", "resourceType": "channels", "data": [LATEST, STABLE]}, "v1.36.3+k3s1"),
        ({"resourceType": "channel", "data": [STABLE | {"name": "x"}]}, "v1.36.3+k3s1"),
        ({"data": [LATEST]}, None),
        ({"data": [STABLE | {"latest": "v1.37.0-rc1+k3s1"}]}, None),
        ({"data": [STABLE | {"latest": "v1.36.03+k3s1"}]}, None),
        ({"data": [STABLE | {"latest": "v1.36.3+k3s01"}]}, None),
        ({"data": [STABLE | {"latest": 3}, "x"]}, None),
        ({"data": {"stable": STABLE}}, None),
        ([], None),
        (None, None),
    ],
)
def test_k3s_stable_is_what_its_channel_says(channels: Any, expected: str | None) -> None:
    assert k3s_stable(channels) == expected
