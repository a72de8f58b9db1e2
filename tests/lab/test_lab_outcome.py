import json

import pytest

from iluvatar_pxe.lab.watch.outcome import Outcome, lines_about, outcome_of

MAC = "52:54:00:77:00:01"


def event(**fields: str) -> str:
    return json.dumps({"event": "boot", "mac": MAC} | fields)


def failed(reason: str) -> Outcome:
    return Outcome(reached_config=False, reason=reason)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([event(stage="discover", served="ipxe/snponly.efi")], None),
        ([event(stage="script", served="talos", why="listed")], None),
        ([event(stage="script", served="countdown"), event(stage="config")], Outcome(reached_config=True)),
        ([event(stage="config", mac="52:54:00:77:00:02")], None),
        (
            [event(stage="script", served="hold", why="no file lists it")],
            failed("the machine is told to wait: no file lists it"),
        ),
        (
            [event(stage="confirm", served="local", why="refused")],
            failed("the machine is told to boot its own disk: refused"),
        ),
        (
            [event(event="dhcp.no_answer", why="no iPXE program")],
            failed("no answer to its DHCP: no iPXE program"),
        ),
        (["Traceback (most recent call last):", "[1]", event(stage="config")[:-5]], None),
    ],
)
def test_the_end_of_a_boot_is_read_from_the_log(lines: list[str], expected: Outcome | None) -> None:
    assert outcome_of("\n".join(lines), MAC) == expected


def test_the_last_lines_about_a_machine_are_found() -> None:
    log = [
        event(stage="discover"),
        event(stage="script", mac="other"),
        event(stage="script"),
        "",
        event(stage="config"),
    ]
    assert lines_about("\n".join(log), MAC, 2) == [log[2], log[4]]
