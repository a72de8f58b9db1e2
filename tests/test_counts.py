"""What ``make bench-check`` compares, without counting."""

import tomllib

from bench.counts import MOST, Figures, compared, faults_of, text_of

KNOWN: Figures = {"offer": 1000, "ipxe": 2000, "counted-with": "these"}


def test_what_has_not_changed_much_is_no_fault() -> None:
    assert compared(KNOWN, {"offer": 1099, "ipxe": 1801}, "these") == []


def test_more_and_less_are_told_with_the_remedy() -> None:
    more, less = compared(KNOWN, {"offer": 1150, "ipxe": 1700}, "these")
    assert more == "offer: 1,150 instructions, +15.0% of 1,000; if that is meant: make bench-counts"
    assert less.startswith("ipxe: 1,700 instructions, -15.0% of 2,000")
    assert MOST < 0.15


def test_other_programs_are_told() -> None:
    (line,) = compared(KNOWN, {"offer": 2000}, "others")
    assert ", counted with other programs: see counted-with; " in line


def test_what_has_no_figure_is_a_fault() -> None:
    assert compared(KNOWN, {"dns-answer": 1}, "these") == [
        "dns-answer: no figure in counts.toml; if it is meant: make bench-counts"
    ]


def test_where_nothing_is_compared_that_is_a_fault() -> None:
    (line,) = faults_of({"3.11 x86_64": KNOWN}, "3.13 aarch64", {"offer": 1000})
    assert line.startswith("nothing was compared: no figures for Python 3.13 aarch64")
    assert faults_of({"3.11 x86_64": KNOWN}, "3.11 x86_64", {"offer": 1000}) == []


def test_figures_are_read_as_they_were_written() -> None:
    tables: dict[str, Figures] = {"3.11 x86_64": KNOWN, "3.13 aarch64": {"offer": 7, "counted-with": "those"}}
    assert tomllib.loads(text_of(tables)) == tables
