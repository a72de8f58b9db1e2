"""Texts without quotes, by the core schema of YAML 1.2."""

from math import inf, isnan

import pytest

from iluvatar_pxe.fleet.yaml.scalars import Scalar, plain_scalar


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["", "~", "null", "Null", "NULL"], None),
        (["true", "True", "TRUE"], True),
        (["false", "False", "FALSE"], False),
        (["7", "+7", "07", "0o7", "0x7"], 7),
        (["-12"], -12),
        (["0o17"], 15),
        (["0x1f", "0x1F"], 31),
        (["0", "-0"], 0),
        (["1" * 100], int("1" * 100)),
        (["1.5", "+1.5", "15e-1", "15E-1", "0.15e+1", "0.15e1"], 1.5),
        (["1.", "1.0", "1e0"], 1.0),
        ([".5", "0.5"], 0.5),
        (["-.5"], -0.5),
        (["5254001e3456", ".inf", ".Inf", ".INF", "+.inf"], inf),
        (["-.inf", "-.Inf", "-.INF"], -inf),
    ],
)
def test_what_is_no_text(texts: list[str], value: Scalar) -> None:
    for text in texts:
        found = plain_scalar(text)
        assert (found, type(found)) == (value, type(value)), text


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_what_is_no_number(text: str) -> None:
    found = plain_scalar(text)
    assert isinstance(found, float)
    assert isnan(found)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "yes",
            "Yes",
            "no",
            "NO",
            "on",
            "off",
            "Off",
            "y",
            "n",
            "tRUE",
            "nULL",
            "none",
            "inf",
            "nan",
            ".nAn",
        ),
        *("2001-01-01", "2001-01-01 10:00:00", "190:20:30", "12:30", "52:54:00:00:00:02", "192.168.1.1"),
        *(
            "1_000",
            "1,000",
            "0b1",
            "0o8",
            "0xg",
            "-0x1",
            "+0o7",
            "0X1F",
            "1e",
            "e5",
            ".",
            "-",
            "+",
            ".e1",
            "1.5.2",
        ),
        *("<<", "=", "٣", "7 ", " 7", "7\n", "1" * 101, "9" * 5000),
    ],
)
def test_what_is_text(text: str) -> None:
    assert plain_scalar(text) == text
