"""YAML to plain data with the line of every key, whatever the text."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Location, parse_yaml


def fault(text: str) -> str:
    """Return the line and the text of what is wrong."""
    with pytest.raises(DocumentError) as caught:
        parse_yaml(text)
    assert str(caught.value) == caught.value.text
    return f"{caught.value.line}: {caught.value.text}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("---\n", {}),
        ("--- ~\n...\n", {}),
        ("{}\n", {}),
        ("\ufeffa: 1\n", {"a": 1}),
        ("%YAML 1.2\n---\na: off\n", {"a": "off"}),
        ("a: [1, 1.5, true, ~, off, '1', \"~\"]\n", {"a": (1, 1.5, True, None, "off", "1", "~")}),
        ("a:\n- 0x1f\n- b: 0o7\n  c:\n", {"a": (31, {"b": 7, "c": None})}),
        ("a: |\n  1\nb: >-\n  1\n  2\n", {"a": "1\n", "b": "1 2"}),
        ("a: one\n  two\n", {"a": "one two"}),
        (
            "404: a\ntrue: b\n~: c\n1.5: d\n? e\n? 'f'\n: g\n",
            {"404": "a", "true": "b", "~": "c", "1.5": "d", "e": None, "f": "g"},
        ),
        (
            "a: !!str 1\nb: !!int 2\nc: ! 3\nd: !!map {}\ne: !!seq []\n",
            {"a": "1", "b": 2, "c": "3", "d": {}, "e": ()},
        ),
        ("a: !!null\nb: !!bool true\nc: !!float 1.5\n", {"a": None, "b": True, "c": 1.5}),
        ("a: {b: c}\r\nd: e\r\n", {"a": {"b": "c"}, "d": "e"}),
    ],
)
def test_plain_data(text: str, value: dict[str, Any]) -> None:
    assert parse_yaml(text).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x 7\nb: *x\n", {"a": 7, "b": 7}),
        ("&x a: *x\n", {"a": "a"}),
        ("a: &x b\n*x : c\n", {"a": "b", "b": "c"}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("a: &x [&x 1, *x]\nb: *x\n", {"a": (1, 1), "b": 1}),
        ("a: {<<: {b: 1, c: 2}, b: 3}\n", {"a": {"b": 3, "c": 2}}),
        ("a: {b: 3, <<: [{b: 1, c: 2}, {c: 4, d: 5}]}\n", {"a": {"b": 3, "c": 2, "d": 5}}),
        (
            "a: &x {b: 1}\nc: &y {<<: *x, d: 2}\ne: {<<: *y}\n",
            {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": {"b": 1, "d": 2}},
        ),
        ("<<: {}\n'<<': 1\n", {"<<": 1}),
    ],
)
def test_anchors_and_merges(text: str, value: dict[str, Any]) -> None:
    assert parse_yaml(text).value == value


def test_what_an_alias_repeats_takes_no_memory() -> None:
    value = parse_yaml("a: &x [1]\nb: *x\n").value
    assert value["a"] is value["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", "1: has no keys; write 'key: value' lines"),
        ("a\n", "1: has no keys; "),
        ("''\n", "1: has no keys; "),
        ("false\n", "1: has no keys; "),
        ("a: 1\nb: 2\na: 3\n", '3: not valid YAML: found duplicate key "a"; remove one of them'),
        ("a: 1\nb:\n  c: 1\n  'c': 2\n", '4: not valid YAML: found duplicate key "c"; '),
        ("a: {b: 1, b: 1}\n", '1: not valid YAML: found duplicate key "b"; '),
        ("<<: {}\n<<: {}\n", '2: not valid YAML: found duplicate key "<<"; '),
        ("a: 1\n---\nb: 2\n", "2: a second document begins here; keep one per file"),
        ("a: 1\n...\n# b\n---\n", "4: a second document begins here; "),
        ("a: 1\n--- [\n", "2: a second document begins here; "),
        ("#\n%YAML 1.1\n---\na: off\n", "2: only YAML 1.2 is supported; remove the %YAML line"),
        ("%TAG ! tag:x\n---\na: !b c\n", "1: tags are not supported; remove the %TAG line"),
        ("#\r%TAG ! tag:x\r---\ra: 1\r", "1: tags are not supported; "),
        ("a: 1\nb: !foo x\n", "2: not valid YAML: the tag !foo is not allowed here; remove it"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "1: not valid YAML: the tag !!python/object/apply:os.system ",
        ),
        ("!!python/name:os.system a: 1\n", "1: not valid YAML: the tag !!python/name:os.system "),
        ("a: !!int x\n", "1: not valid YAML: the tag !!int "),
        ("a: !!bool 1\n", "1: not valid YAML: the tag !!bool "),
        ("a: !!seq {}\n", "1: not valid YAML: the tag !!seq "),
        ("a: !!str []\n", "1: not valid YAML: the tag !!str "),
        ("a: !!binary aGVsbG8=\n", "1: not valid YAML: the tag !!binary "),
        ("!!set {a}\n", "1: not valid YAML: the tag !!set "),
        ("a: !%ED%A0%80 x\n", "1: not valid YAML: a tag is not UTF-8; "),
        ("a: {{ b }}\n", "1: not valid YAML: a key must be text; put it in quotes if it begins "),
        ("a: 1\n? [b]\n: c\n", "2: not valid YAML: a key must be text; "),
        ("a: &x 1\n*x : c\n", "2: not valid YAML: a key must be text; "),
        ("a: 1\nb: *c\n", "2: not valid YAML: *c is not defined; put &c before it"),
        ("<<: 1\n", "1: not valid YAML: << takes a mapping, or a list of them; "),
        ("a:\n  <<: [{}, 1]\n", "2: not valid YAML: << takes a mapping, "),
        ("a: [\n", "2: not valid YAML: "),
        ("a: [", "1: not valid YAML: "),
        ("a: '\n  b", "2: not valid YAML: "),
        ("a: b: c\n", "1: not valid YAML: mapping values are not allowed in this context; correct it"),
        ("a: 1\n\tb: 2\n", "2: not valid YAML: "),
        ("ä: 1\n# ü\x00\n", "2: not valid YAML: control characters are not allowed; correct it"),
        ("a: 1\nb: \ud800\n", "2: not valid YAML: an unpaired surrogate; correct it"),
        ('a: "\\ud800"\n', "1: not valid YAML: "),
    ],
)
def test_a_fault_has_its_line(text: str, expected: str) -> None:
    assert fault(text).startswith(expected)


LINES = """\
# Ours

a: 1
b:
  c: [1,
    2]
  d:
    - e: 1
      f: 2
    -
      - 3
base: &base
  g: {h: 1}
i: *base
j:
  k: 1
  <<: *base
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ((), 3),
        (("a",), 3),
        (("b",), 4),
        (("b", "c"), 5),
        (("b", "c", 0), 5),
        (("b", "c", 1), 6),
        (("b", "d"), 7),
        (("b", "d", 0), 8),
        (("b", "d", 0, "f"), 9),
        (("b", "d", 1, 0), 11),
        (("b", "d", 7, "f"), 7),
        (("b", "z", "f"), 4),
        (("a", "z"), 3),
        (("z",), 3),
        (("i",), 14),
        (("i", "g", "h"), 13),
        (("j", "k"), 16),
        (("j", "g"), 17),
        (("j", "g", "h"), 13),
    ],
)
def test_the_line_of_a_key(location: Location, line: int) -> None:
    assert parse_yaml(LINES).line_of(location) == line


@pytest.mark.parametrize(
    ("location", "part", "words"),
    [
        ((), parse_yaml(LINES).value, ""),
        (("b", "c", 1), 2, "b.c.2"),
        (("b", "d", 1), (3,), "b.d.2"),
        (("j", "g", "h"), 1, "j.g.h"),
        (("b", "c", 2), None, "b.c.3"),
        (("b", "c", -1), None, "b.c.0"),
        (("a", 0), None, "a"),
        (("a", "z"), None, "a.z"),
        (("z", 0, "y"), None, "z.y"),
    ],
)
def test_a_part_and_how_its_place_is_spelled(location: Location, part: Any, words: str) -> None:
    document = parse_yaml(LINES)
    assert document.part_of(location) == part
    assert document.spelled(location) == words


def test_an_empty_document_begins_at_line_1() -> None:
    assert parse_yaml("").line_of(("a",)) == 1


PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            ": ",
            "? ",
            "- ",
            ", ",
            "[",
            "]",
            "{",
            "}",
            "\n",
            "\n  ",
            "\n    ",
            "\t",
            " ",
            "\r\n",
            "\x85",
        ),
        *(
            "&a ",
            "*a ",
            "<<: ",
            "!",
            "!!str ",
            "!!int ",
            "!x ",
            "%",
            "%YAML 1.2\n",
            "%TAG ",
            "---",
            "...",
            "'",
            '"',
        ),
        *(
            "|\n",
            ">-\n",
            "#",
            "\\",
            "\\ud800",
            "\\x",
            "\ufeff",
            "\x00",
            "\ud800",
            "é",
            "😀",
            "~",
            "7",
            ".nan",
            "@",
        ),
    ]
)


@settings(max_examples=1000)
@given(st.text(st.characters()) | st.lists(PIECES, max_size=20).map("".join))
def test_any_text_is_a_document_or_one_fault_in_it(text: str) -> None:
    keys, marks, line = None, None, 1
    try:
        document = parse_yaml(text)
        keys, marks = set(document.value), set(document.marks)
    except DocumentError as error:
        line = error.line
    assert keys == marks
    assert 1 <= line <= len(f"{text}.".splitlines())


@settings(max_examples=300)
@given(st.text(st.characters()))
def test_any_text_ends_in_findings(text: str) -> None:
    findings: list[str] = []
    try:
        parse_fleet({"fleet.yaml": text})
    except FleetError as error:
        findings = error.findings
    assert all(line.startswith("fleet.yaml:") and line.isprintable() for line in findings)


WORDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=8,
)


@given(st.dictionaries(WORDS, JSON), st.sampled_from([None, 2]))
def test_json_is_yaml(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert json.dumps(parse_yaml(text).value) == json.dumps(value)
