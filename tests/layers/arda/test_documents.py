"""Configurations as values, by the rules of Talos' YAML library, and back as text."""

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Contract, Unquoted, dump_documents, load_documents

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x85\u2028\u2029\ufeff"))
NUMBERS = st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)
DOCUMENTS = st.lists(st.dictionaries(TEXTS, VALUES, min_size=1), min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("yes", "yes"),
        ("2026-11-29", "2026-11-29"),
        ("1:30", "1:30"),
        ("true", True),
        ("~", None),
        ("12", 12),
        ("1.5", 1.5),
        ("'0644'", "0644"),
        ("0644", Unquoted("0644")),
        ("0o644", Unquoted("0o644")),
        ("0x10", Unquoted("0x10")),
        ("1.10", Unquoted("1.10")),
        ("1e3", Unquoted("1e3")),
        ("1_000", Unquoted("1_000")),
    ],
)
def test_what_a_scalar_means(text: str, value: Any) -> None:
    ((_, found),) = load_documents(f"a: {text}")[0].items()
    assert (type(found), found) == (type(value), value)
    (again,) = load_documents(dump_documents([{"a": found}]))[0].values()
    assert (type(again), again) == (type(value), value)


@pytest.mark.parametrize("text", ["0644", "0o644", "1.10", "1_000", "0b11", "+1", ".5", "12", "1.5"])
def test_numbers_stay_as_they_are_written(text: str) -> None:
    assert dump_documents(load_documents(f"a: {text}\n")) == f"a: {text}\n"


@pytest.mark.parametrize(
    "text", ["off", "0o644", "1_000", "1e3", "true", "null", "~", "", "0x1", "2026-11-29"]
)
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    assert dump_documents([{"a": text}]) == f"a: '{text}'\n"


def test_the_text_is_one_that_people_read() -> None:
    documents: list[dict[str, Any]] = [
        {"version": "v1alpha1", "b": [{"c": 1}], "a": "one\ntwo\n"},
        {"kind": "X", "auto": "off"},
    ]
    assert dump_documents(documents) == (
        "version: v1alpha1\nb:\n-   c: 1\na: |\n    one\n    two\n---\nkind: X\nauto: 'off'\n"
    )


def test_empty_documents_are_none_and_anchors_are_of_one_document() -> None:
    assert load_documents("---\n---\na: &x {b: 1}\nc: *x\n---\n# nothing\n---\nd: 1\n") == (
        {"a": {"b": 1}, "c": {"b": 1}},
        {"d": 1},
    )
    assert load_documents("") == ()


BOMB = "".join(f"a{level}: &a{level} [{f'*a{level - 1}, ' * 9}]\n" for level in range(1, 9))


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: 1\n---\n- b\n", 3, "is no document of a machine configuration; "),
        ("a: 1\n---\nb: ]\n", 3, "not valid YAML: "),
        ("a: 1\n---\nb: 1\nb: 2\n", 4, 'not valid YAML: found duplicate key "b"; '),
        ("a: &x 1\n---\nb: *x\n", 3, "not valid YAML: *x is not defined; "),
        (f"a0: &a0 x\n{BOMB}", 7, "its anchors (&, *) expand to more than 100000 values; "),
        ("a: &x [x]\n" + "---\nb: 1\n" * 1000, 2000, "has more than 1000 documents; "),
    ],
)
def test_faults(text: str, line: int, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_documents(text)
    assert caught.value.line == line
    assert caught.value.text.startswith(why)


def test_values_of_all_documents_count_together() -> None:
    one = "---\na: &a [" + "x, " * 900 + "]\nb: [" + "*a, " * 90 + "]\n"
    load_documents(one)
    with pytest.raises(DocumentError, match="expand to more than 100000 values"):
        load_documents(one * 2)


@settings(max_examples=30)
@given(DOCUMENTS)
def test_what_is_written_is_read_again(documents: list[dict[str, Any]]) -> None:
    text = dump_documents(documents)
    assert load_documents(text) == tuple(documents)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12))
def test_any_text_is_a_text_to_yaml_1_1_as_well(text: str) -> None:
    assert yaml.safe_load(dump_documents([{"a": text}])) == {"a": text}


def test_contracts() -> None:
    assert Contract.of("v1.13.9") is Contract.V1_13
    assert Contract.of("v1.14.0-rc.1") is Contract.V1_14
    assert Contract.of("v1.14") is Contract.V1_14
    for version in ("v1.12.11", "v1.140.0", "stable", "1.14.0"):
        with pytest.raises(ConfigurationError, match=rf"Talos {version}: only v1.13 and v1.14 can be"):
            Contract.of(version)
