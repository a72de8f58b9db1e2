import pytest

from iluvatar_pxe.cli.lab.page import attempt_lines, console_line, stage_lines
from iluvatar_pxe.lab.watch.attempt import Attempt
from iluvatar_pxe.lab.watch.outcome import Outcome

MAC = "52:54:00:77:00:01"
DONE = Attempt(
    "bios", MAC, {"DISCOVER": 2.44, "config fetched": 14.0}, Outcome(reached_config=True), ["a line"]
)
HELD = Attempt(
    "uefi-x64",
    MAC,
    {"DISCOVER": 5.0, "script": 9.0},
    Outcome(reached_config=False, reason="it waits"),
    ["why"],
)
SILENT = Attempt("uefi-x64", MAC, {}, Outcome(reached_config=False, reason="nothing came"), [])


@pytest.mark.parametrize(
    ("name", "colours", "expected"),
    [
        ("", False, "text"),
        ("", True, "text"),
        ("uefi-x64", False, "uefi-x64    | text"),
        ("uefi-x64", True, "\x1b[32muefi-x64    |\x1b[0m text"),
    ],
)
def test_lines_are_told_apart_by_machine(name: str, expected: str, *, colours: bool) -> None:
    assert console_line(name, "text", colours=colours) == expected


def test_each_boot_has_a_column_of_stages() -> None:
    lines = [line.split() for line in stage_lines([DONE, HELD])]
    assert lines[0][-2:] == ["bios", "uefi-x64"]
    assert lines[1] == ["DISCOVER", "2.4", "5.0"]
    assert lines[-1] == ["config", "fetched", "14.0", "-"]


def test_a_boot_that_failed_is_told_with_its_reason_and_the_daemons_lines() -> None:
    assert list(attempt_lines([DONE, HELD, SILENT])) == [
        f"bios ({MAC}) fetched its configuration.",
        f"uefi-x64 ({MAC}) did not reach the stage: config fetched",
        "Reason: it waits",
        "The daemon's last log lines about it:",
        "  why",
        f"uefi-x64 ({MAC}) did not reach the stage: DISCOVER",
        "Reason: nothing came",
        "The daemon's last log lines about it:",
        "  none",
    ]
