"""Tables: every text whole, no line too long, nothing that a terminal obeys."""

from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.cli.machines.listing import machine_lines
from iluvatar_pxe.cli.tables import fields, say_json, say_list, table
from iluvatar_pxe.spans import ago, span

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)


def machine(number: int, **changes: object) -> dict[str, object]:
    known: dict[str, object] = {
        "name": f"arda-{number:02}",
        "layer": "arda",
        "role": "controlplane",
        "phase": "installing",
        "intent": "boot",
        "conflict": None,
        "address": f"192.168.100.{number}",
        "macs": [f"52:54:00:00:00:{number:02x}"],
        "manufacturer": "Dell Inc.",
        "product": "OptiPlex 7050 Micro",
        "last_seen": "2026-11-22T18:27:00.000Z",
        "reached": "first-script",
        "transient": False,
    }
    return known | changes


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (1, "1 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "1 day ago"),
        (172_800, "2 days ago"),
        (-60, "now"),
        (-3600, "2026-11-22 19:30"),
    ],
)
def test_how_long_ago(seconds: int, text: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (90, "1 min 30 s"),
        (1800, "30 min"),
        (7201, "2 h 1 s"),
        (604_800, "7 days"),
        (90_061, "1 day 1 h"),
    ],
)
def test_a_length_of_time(seconds: int, text: str) -> None:
    assert span(seconds) == text


@given(
    st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=4),
    st.none() | st.integers(min_value=30, max_value=200),
)
def test_any_text_in_lines_of_the_right_length(rows: list[tuple[str, str, str]], width: int | None) -> None:
    cells = [[(one,), (two, "x"), ("fixed",)] for one, two, _ in rows]
    lines = list(table((("a",), ("b",), ("c",)), cells, width, (0, 1)))
    lines += fields({"name": "".join(text for row in rows for text in row)}, width)
    assert all(line.isprintable() for line in lines)
    assert width is None or all(len(line) <= width for line in lines)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=100))
def test_nothing_is_left_out(text: str) -> None:
    (_, first, *others) = table((("a",), ("b",)), [[(text,), ("end",)]], 30, (0,))
    assert "".join((first.removesuffix("end").rstrip(), *others)) == text


def test_a_narrow_terminal_sets_columns_below_each_other() -> None:
    machines = [
        machine(2, intent="hold", conflict="why"),
        machine(1, macs=["52:54:00:00:00:01", "52:54:00:00:00:0a"]),
    ]
    assert list(machine_lines(machines, NOW, 80, every=False)) == [
        "name     layer         phase       address            make and      last seen",
        "         role          intent      MACs               product       reached",
        "arda-01  arda          installing  192.168.100.1      Dell Inc.     3 min ago",
        "         controlplane              52:54:00:00:00:01  OptiPlex      first-script",
        "                                   52:54:00:00:00:0a  7050 Micro",
        "arda-02  arda          installing  192.168.100.2      Dell Inc.     3 min ago",
        "         controlplane  conflict    52:54:00:00:00:02  OptiPlex      first-script",
        "                                                      7050 Micro",
    ]


@given(
    st.lists(
        st.dictionaries(
            st.text(), st.none() | st.booleans() | st.text() | st.lists(st.text()) | st.integers(), min_size=1
        )
    )
)
def test_a_list_that_comes_piece_by_piece_is_the_same_json(rows: list[dict[str, object]]) -> None:
    piece_by_piece, at_once = StringIO(), StringIO()
    with redirect_stdout(piece_by_piece):
        say_list(iter(rows))
    with redirect_stdout(at_once):
        say_json(rows)
    assert piece_by_piece.getvalue() == at_once.getvalue()


def test_names_go_before_those_that_have_none_and_by_the_alphabet() -> None:
    machines = [machine(3, name=None), machine(2, name=None), machine(9, name="b"), machine(8, name="a")]
    (_, *lines) = machine_lines(machines, NOW, None, every=False)
    assert [(line.split()[0], line.split()[5]) for line in lines] == [
        ("a", "52:54:00:00:00:08"),
        ("b", "52:54:00:00:00:09"),
        ("-", "52:54:00:00:00:02"),
        ("-", "52:54:00:00:00:03"),
    ]


def test_many_that_only_passed_by_are_one_line() -> None:
    machines = [machine(1)] + [machine(2, name=None, transient=True)] * 4812
    lines = list(machine_lines(machines, NOW, None, every=False))
    assert len(lines) == 3
    assert lines[-1] == "and 4,812 MACs that only sent a DHCP boot request; --all lists them"
    assert len(list(machine_lines(machines, NOW, None, every=True))) == 4814
