"""No text takes long or much memory, whatever its anchors repeat and however deeply it is nested."""

import pytest

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.yaml.composer import MOST_LEVELS, MOST_VALUES, DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_yaml


def fault(text: str) -> str:
    """Return the line and the text of what is wrong."""
    with pytest.raises(DocumentError) as caught:
        parse_yaml(text)
    return f"{caught.value.line}: {caught.value.text}"


def laughs(line: str, first: str) -> str:
    """Return text in which every line repeats the one before tenfold."""
    lines = [line.format(number, ", ".join([f"*x{number - 1}"] * 10)) for number in range(1, 30)]
    return "\n".join([first, *lines, ""])


@pytest.mark.parametrize(
    "text",
    [
        laughs("a{0}: &x{0} [{1}]", "a: &x0 [1, 2, 3]"),
        laughs("a{0}: &x{0} {{b: [{1}]}}", "a: &x0 {b: 1}"),
        laughs("a{0}: &x{0} {{<<: [{1}], b{0}: 1}}", "a: &x0 {b: 1}"),
    ],
)
def test_anchors_do_not_explode(text: str) -> None:
    line, _, reason = fault(text).partition(": ")
    assert int(line) < 10
    assert reason == "its anchors (&, *) expand to more than 100000 values; write them out"


def test_so_many_values_are_read_and_no_more() -> None:
    most = MOST_VALUES - 3  # the key, and both mapping and list
    assert len(parse_yaml(f"a: [{'1,' * most}]").value["a"]) == most
    assert fault(f"a: [{'1,' * most}\n1]") == "2: has more than 100000 values; shorten it"
    half = (most - 1) // 2
    assert fault(f"a: &x [{'1,' * half}]\nb: *x\n").startswith("2: its anchors (&, *) expand to ")


@pytest.mark.parametrize(
    "text",
    ["a:\n  &x [*x]\n", "a: &x\n  b: *x\n", "a: &x\n  <<: *x\n", "&x a: &y\n  - - *y\n", "\n&x {b: *x}\n"],
)
def test_nothing_repeats_itself(text: str) -> None:
    assert fault(text).startswith(("2: *x refers to itself; ", "2: *y refers to itself; "))


def nested(levels: int) -> list[str]:
    """Return documents that are nested so deeply."""
    inner = levels - 1
    chain = "".join(f"b{number}: &x{number} [*x{number - 1}]\n" for number in range(1, inner))
    return [
        f"a: {'[' * inner}{']' * inner}\n",
        f"{'{a: ' * levels}{'}' * levels}\n",
        "".join(f"{' ' * level}a:\n" for level in range(levels)),
        f"a:\n  {'- ' * inner}b\n",
        f"a: &x0 []\n{chain}",
        f"a: &x0 {{}}\n{chain.replace('[', '{<<: ').replace(']', '}')}",
    ]


@pytest.mark.parametrize("text", nested(MOST_LEVELS))
def test_so_many_levels_may_be_nested(text: str) -> None:
    assert parse_yaml(text).value


@pytest.mark.parametrize("text", nested(MOST_LEVELS + 1))
def test_no_more_levels_may_be_nested(text: str) -> None:
    assert fault(text).endswith(": nested more than 100 levels deep; flatten it")


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "[? " * 100_000, nested(2000)[2]],
)
def test_however_deep_they_are_nested_they_are_only_refused(text: str) -> None:
    assert "nest" in fault(text)


@pytest.mark.parametrize("entry", [f"? {'k' * 50_000}\n  : 1", f"layer: arda\n  config: {'c' * 50_000}"])
def test_what_is_repeated_is_not_told_in_full_each_time(entry: str) -> None:
    rules = f"rules:\n- &x\n  {entry}\n" + "- <<: *x\n" * 300
    with pytest.raises(FleetError) as caught:
        parse_fleet({"fleet.yaml": rules, "layers/arda.yaml": ""})
    assert len(caught.value.findings) > 300
    assert sum(map(len, caught.value.findings)) < 1000 * len(caught.value.findings)
