"""Whatever the fleet's files hold: a fleet, or findings of one line each, and no other error."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet


def fleet_or_findings(files: Mapping[str, str]) -> None:
    lines: list[str] = ["no faults"]
    try:
        parse_fleet(files)
    except FleetError as error:
        lines = error.findings
    assert lines
    assert all(line.isprintable() for line in lines)


PATHS = st.sampled_from(
    [
        "fleet.yaml",
        "layers/arda.yaml",
        "machines/one.yaml",
        "machines/two.yaml",
        "layers/ainur.yaml",
        "configs/x.ipxe",
    ]
)
WORDS = st.from_regex(
    r"match|macs|chain|talos|local|hold|ipxe|config|script|rules|enrolment|mode|window|layer|arda|role|auto|"
    r"intent|names|servers|reuseNames|serial|uuid|product|subnet|mac|"
    r"records|ingress|aaaa|cname|srv|target|port|@|nas|"
    r"x86_64|domain|version|schematic|404|off|~|1\.5|"
    r"\.inf|2001-01-01|0x10|!!(omap|set|binary|int|timestamp|map|str)|&a|\*a|<<|---|[][?|>{},:#%@`\"'\\-]|"
    r"52:54:00:00:00:03|configs/one\.yaml",
    fullmatch=True,
)
LIKE_YAML = st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", ": ", "\n  ", "\n- "])), max_size=12).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)


@settings(max_examples=1000)
@given(PATHS, st.text() | LIKE_YAML)
def test_any_text_in_any_file_is_a_fleet_or_a_fleet_error(path: str, text: str) -> None:
    fleet_or_findings({"fleet.yaml": "", path: text})


@settings(max_examples=300)
@given(st.dictionaries(PATHS | st.text(min_size=1), st.text() | LIKE_YAML, max_size=4))
def test_any_files_are_a_fleet_or_a_fleet_error(files: dict[str, str]) -> None:
    fleet_or_findings(files)
