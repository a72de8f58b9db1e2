"""Patterns over what machines tell: how they are written, and what they fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from iluvatar_pxe.fleet.fields.globs import fits
from iluvatar_pxe.fleet.models import Traits

MAC = "52:54:00:12:34:5e"


@pytest.mark.parametrize(
    ("text", "glob", "expected"),
    [
        ("Dell Inc.", "dell*", True),
        ("DELL INC.", "Dell Inc.", True),
        ("Dell Inc.", "Dell", False),
        ("10M8S12", "10?8*", True),
        ("OptiPlex 7060", "*[67]0?0", True),
        ("Box [A]", "Box [[]A]", True),
        ("Box [A]", "Box [A]", False),
        ("[", "[", True),
        ("", "*", True),
        ("", "?*", False),
        ("Straße", "STRASSE", True),
    ],
)
def test_fits(text: str, glob: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert fits(text, glob) is expected


@given(st.text(), st.text())
def test_no_text_and_no_pattern_is_an_error(text: str, glob: str) -> None:
    assert fits(text, glob) in {True, False}
    assert fits(text, "*")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("52:54:00", "52:54:00*"),
        ("52-54-00", "52:54:00*"),
        ("525400", "52:54:00*"),
        ("5254.00", "52:54:00*"),
        ("52:54:00:*", "52:54:00*"),
        ("52:54:0", "52:54:0*"),
        ("52-54-00-12-34-5E", MAC),
        ("5254.0012.345E", MAC),
        ("*:5E", "*:5e"),
        ("52-54-??-12-*", "52:54:??:12:*"),
        ("*", "*"),
    ],
)
def test_a_mac_is_a_beginning_or_a_pattern_in_any_spelling(written: str, expected: str) -> None:
    (glob,) = Traits.model_validate({"mac": written}).mac
    assert glob == expected
    assert fits(MAC, glob)


@pytest.mark.parametrize("written", ["", 525400, "Dell", "52:54:00:12:34:56:78", "52:5[0-4]", "x*", ":"])
def test_what_is_no_mac(written: str | int) -> None:
    with pytest.raises(ValidationError):
        Traits.model_validate({"mac": written})


def test_one_pattern_or_a_list_of_them() -> None:
    traits = Traits.model_validate(
        {"product": "A*", "serial": ["1", "2"], "subnet": ["10.0.0.0/8", "192.0.2.7"]}
    )
    assert traits.product == ("A*",)
    assert traits.serial == ("1", "2")
    assert [str(subnet) for subnet in traits.subnet] == ["10.0.0.0/8", "192.0.2.7/32"]
