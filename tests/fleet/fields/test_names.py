"""Host names and the patterns that names are counted by."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.fleet.fields.names import is_host_name, is_pattern, overlap

PATTERNS = st.from_regex(r"[a1-]{0,3}#{1,2}[a1-]{0,3}", fullmatch=True).filter(is_pattern)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True),
        ("arda-01", True),
        ("01", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("-a", False),
        ("a-", False),
        ("Arda", False),
        ("a_b", False),
        ("a.b", False),
        ("a\n", False),
    ],
)
def test_host_names(text: str, valid: bool) -> None:  # noqa: FBT001 - a table
    assert is_host_name(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("arda-##", True),
        ("#", True),
        ("rack1-####-arda", True),
        ("a" * 49 + "#", True),
        ("a" * 50 + "#", False),
        ("arda", False),
        ("a#b#", False),
        ("-#", False),
        ("#-", False),
        ("A#", False),
        ("#.lan", False),
    ],
)
def test_patterns(text: str, valid: bool) -> None:  # noqa: FBT001 - a table
    assert is_pattern(text) is valid


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("arda-##", "ainur-##", False),
        ("arda-##", "arda-##", True),
        ("arda-##", "arda-#", True),  # arda-10
        ("node#", "node1#", True),  # node11
        ("#a", "#b", False),
        ("a#-1b", "a1-#b", True),  # a1-1b
        ("a#-xb", "a1-#b", False),
        ("#1", "1#", True),  # 11
    ],
)
def test_patterns_that_give_the_same_name(one: str, other: str, expected: bool) -> None:  # noqa: FBT001
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


@settings(max_examples=300)
@given(PATTERNS, PATTERNS, st.integers(0, 2000))
def test_overlap_misses_no_common_name(one: str, other: str, number: int) -> None:
    name = re.sub("#+", lambda run: str(number).zfill(len(run[0])), one)
    parts = re.escape(other).replace(r"\#", "#")
    shape = re.sub("#+", lambda run: rf"[0-9]{{{len(run[0])},}}", parts)
    assert is_host_name(name)
    if re.fullmatch(shape, name):
        assert overlap(one, other)
