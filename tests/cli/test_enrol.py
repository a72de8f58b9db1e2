"""``enrol open|close|status``, through a daemon and without one."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from support.command import Host
from support.daemon import Daemon

from iluvatar_pxe.cli.durations import duration
from iluvatar_pxe.errors import UsageError
from iluvatar_pxe.fleet.daemon_files import LONGEST_WINDOW
from iluvatar_pxe.machines.boots import Stage
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.machines.states import Directive, Intent
from iluvatar_pxe.provisioning.countdowns import AT_THE_SCREEN

WAITING, REFUSED, SENT_AWAY = (f"52:54:00:00:00:0{number}" for number in (1, 2, 3))
RULES = f'rules: [{{match: {{mac: "{SENT_AWAY}"}}, intent: local}}, {{layer: arda}}]\n'


def machine(number: int, mac: str, **changes: Any) -> Machine:
    now = datetime.now(UTC)
    known: dict[str, Any] = {
        "id": UUID(int=number),
        "macs": (mac,),
        "generation": 1,
        "reached": Stage.SCRIPT,
        "furthest": Stage.SCRIPT,
        "first_seen": now,
        "last_seen": now,
        "firmware": Firmware.UEFI_PXE,
    }
    return Machine(**known | changes)


def prepared(directory: Path) -> Host:
    """Return a host before which one machine waits; another was refused, and a rule sends the third to its disk."""
    host = Host(directory)
    host.write("layers/arda.yaml", "kind: talos\ntalos: {version: v1.13.9, schematic: abc}\n")
    host.write("fleet.yaml", RULES)
    refusal = Directive(Intent.LOCAL, AT_THE_SCREEN, "a key was pressed during its countdown")
    host.know(machine(1, WAITING), machine(2, REFUSED, directive=refusal), machine(3, SENT_AWAY))
    return host


@pytest.fixture(params=["daemon", "alone"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = prepared(tmp_path)
    if request.param == "alone":
        yield made
        return
    with Daemon(tmp_path) as daemon:
        yield made
        assert daemon.logged("control"), "the daemon has done it"


def test_open_status_and_close(host: Host) -> None:
    answer = host.run("enrol", "open", "30m")
    assert (answer.status, answer.error) == (0, "")
    assert re.fullmatch(r"the enrolment window is open for (30 min|29 min \d+ s)\.", answer.lines[0])
    report = host.run("enrol", "status", "--json").json
    assert (report["mode"], report["open"]) == ("window", True)
    assert 1700 < report["remaining"] <= 1800
    assert report["opened_by"]
    assert [one["macs"] for one in report["waiting"]] == [[WAITING]]
    assert [one["macs"] for one in report["refused"]] == [[REFUSED]]

    assert host.run("enrol", "close").lines == ["the enrolment window is closed."]
    lines = host.run("enrol", "status").lines
    assert lines[0] == "Enrolment mode window; the window is closed."
    headings = [line for line in lines if line.endswith(":")]
    assert headings == [
        "Waiting to enrol, seen within a day:",
        "Refused at the console, seen within a day:",
    ]
    assert WAITING in lines[lines.index(headings[0]) + 2]
    assert REFUSED in lines[lines.index(headings[1]) + 2]


def test_a_window_outlives_the_daemon(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    with Daemon(tmp_path) as daemon:
        host.run("enrol", "open", "2d")
        assert daemon.stop() == 0
    report = host.run("enrol", "status", "--json").json
    assert report["open"]
    assert 172_000 < report["remaining"] <= 172_800


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        (
            "join",
            "fleet.yaml sets mode join: new machines join at any time, but as control plane or server only while the window is open.",
        ),
        ("hold", "fleet.yaml sets mode hold: new machines still wait."),
        ("ignore", "fleet.yaml sets mode ignore: new machines still get no answer."),
    ],
)
def test_what_the_fleet_makes_of_a_window(tmp_path: Path, mode: str, line: str) -> None:
    host = prepared(tmp_path)
    host.write("fleet.yaml", f"enrolment: {{mode: {mode}}}\n")
    assert host.run("enrol", "open", "90s").lines[1:] == [line]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400), ("7d", 604_800), ("604800s", 604_800)],
)
def test_a_duration(text: str, seconds: int) -> None:
    assert duration(text, LONGEST_WINDOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0s",
        "30",
        "m",
        "30 m",
        "-1h",
        "1.5h",
        "8d",
        "169h",
        "604801s",
        "99999999s",
        "1w",
        "30M",
        "1h30m",
        "٣h",
        "1h\n",
    ],
)
def test_no_duration(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        duration(text, LONGEST_WINDOW)
    assert str(caught.value) == f"{text!r} is not a duration of at most 7 days; write 90s, 30m, 2h or 1d"


def test_no_duration_is_usage(tmp_path: Path) -> None:
    answer = prepared(tmp_path).run("enrol", "open", "forever")
    text = "iluvatar-pxe: 'forever' is not a duration of at most 7 days; write 90s, 30m, 2h or 1d\n"
    assert (answer.status, answer.output, answer.error) == (2, "", text)
