"""Plain YAML is read without libyaml, and says what it says to libyaml: content, types and lines."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iluvatar_pxe.fleet.yaml.composer import compose
from iluvatar_pxe.fleet.yaml.plain import LONGEST, read_plain

KEYS = st.from_regex(r"[a-h]:( |  |)", fullmatch=True)
VALUES = st.from_regex(
    r"""[a-b](:[0-9])?( [a-b])?|404|0x1f|1e3|no|null|true|2001-01-01|"[ #-z]?"|'[!#"+]?'|\[((a|"b, c"|'c')(, ?|\]))+|\[\]""",
    fullmatch=True,
)
LINES = st.tuples(
    st.sampled_from(["", "", "  "]),
    KEYS | st.just("- "),
    VALUES | st.just(""),
    st.sampled_from(["", "", " # c", " "]),
)
PLAIN = st.lists(LINES.map("".join) | st.sampled_from(["", "# c", "  # c"]), max_size=5).map("\n".join)
ODD = st.from_regex(
    "[] \n\t\r\0é\u2028#:?\"'\\\\{},|>@`[-]|  |: |- |&a |[*]a|!!str |<<: |%YAML 1[.]1\n|---\n|\n[.]{3}|a: ",
    fullmatch=True,
)


@st.composite
def nearly_plain(draw: st.DrawFn) -> str:
    """Return a text that is plain but for what was put in somewhere."""
    text = draw(PLAIN)
    for odd in draw(st.lists(ODD, max_size=1)):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + odd + text[place:]
    return text


@settings(max_examples=500)
@given(nearly_plain())
@example("a:\n- x\n  - y\n")
@example("a:\n    b: 1\n  c: 2\n")
@example("a: x\n  b: y\n")
@example("a:\n- x\nb:\n  - y\n\n  - z\n  # c\n")
def test_what_is_read_plainly_is_what_libyaml_reads(text: str) -> None:
    plain = read_plain(text)
    assert plain is None or repr(plain) == repr(compose(text))


MACHINE = """\
# Written by iluvatar-pxe when this machine joined. Edit it freely, but keep the MACs.
match:
  macs:
  - "52:54:00:12:34:56"
  - 52:54:00:12:34:57 # the second card

  serial: 'ABC 123'
  uuid: 4c4c4544-0042-3010-8031-b1c04f4d3132
layer:
role: worker
kernelArgs: [quiet, "console=ttyS0"]
seen:
    manufacturer: Dell Inc.
    memory: 1024
"""


def test_a_machine_s_file_is_read_plainly() -> None:
    assert read_plain(MACHINE) == compose(MACHINE)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "# c\n",
            "- a\n",
            "x\n",
            " a: b\n",
            "a: b\na: c\n",
            "a: &b c\n",
            'a: "\\n"\n',
            "a: b\n  c\n",
            "a:\n- - b\n",
        ],
        *[
            "a: |\n  b\n",
            "<<: {a: b}\n",
            "a: b\r\n",
            "---\na: b\n",
            "a: {b: c}\n",
            "a: b: c\n",
            "a:\n  b: c\n d: e\n",
        ],
        "a: b\n" + LONGEST * "#",
        1_025 * "a" + ": b\n",  # libyaml takes no key that is as long
    ],
)
def test_all_else_is_left_to_libyaml(text: str) -> None:
    assert read_plain(text) is None


def test_lines_that_are_plain_but_for_their_end_take_no_time() -> None:
    for line in (" ", "a: b ", "a: [b, ", 'a: ["b", ', "a: b:", "- b "):
        text = line * (LONGEST // len(line))
        assert read_plain(text + "\t") is None
