"""``iluvatar-pxe logs``: the journal's JSON as lines for people, of one machine or of all."""

import json

import pytest

from iluvatar_pxe.cli.logs import readable

BOOT = {"machine": "arda-01", "mac": "52:54:00:00:00:01", "bytes": 300, "level": "info", "event": "boot"}
HOLD = {"nics": ["52:54:00:00:00:02"], "level": "warning", "event": "clone", "why": "two of one kind"}
LINES = [
    "Started iluvatar-pxe.service.\n",
    json.dumps(BOOT | {"timestamp": "2026-11-29T10:00:00.123Z"}) + "\n",
    json.dumps(HOLD | {"timestamp": "2026-11-29T10:00:01Z"}) + "\n",
    "{not JSON\n",
]
FIRST = "2026-11-29 10:00:00 info    boot                 machine=arda-01 mac=52:54:00:00:00:01 bytes=300"
SECOND = '2026-11-29 10:00:01 warning clone                nics=["52:54:00:00:00:02"] why="two of one kind"'


def test_all_lines_are_shown() -> None:
    assert list(readable(LINES, frozenset())) == ["Started iluvatar-pxe.service.", FIRST, SECOND, "{not JSON"]


@pytest.mark.parametrize(
    ("words", "lines"),
    [({"arda-01"}, [FIRST]), ({"52:54:00:00:00:02", "x"}, [SECOND]), ({"boot"}, [FIRST]), ({"arda"}, [])],
)
def test_a_machines_lines_name_it(words: set[str], lines: list[str]) -> None:
    assert list(readable(LINES, frozenset(words))) == lines
