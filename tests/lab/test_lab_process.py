import signal
import subprocess
import time
from pathlib import Path

import pytest

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.process import Process, start

FORK = ("sh", "-c", 'exec 3<&0; "$@" <&3 & trap "" TERM INT; wait $!', "fork")
"""A prefix that forks once, as nsenter does."""


def run(script: str) -> Process:
    return start("program", FORK, ["sh", "-c", script])


def test_output_is_kept_from_both_streams_and_without_carriage_returns() -> None:
    process = run(r"printf 'one\r\n'; echo two >&2; exit 3")
    assert process.wait(10) == 3
    assert process.output == "one\ntwo\n"


def test_waiting_for_a_line_ends_when_it_is_complete() -> None:
    process = run("printf 'value=1'")
    assert process.wait_for("value=(.*)$", 10)[1] == "1"  # ended: the rest counts as a line
    process.wait(10)
    process = run("printf 'value=1'; sleep 0.1; echo 23; exec sleep 60")
    try:
        assert process.wait_for("value=(.*)$", 10)[1] == "123"
    finally:
        process.stop()


def test_a_program_that_ends_too_early_is_reported_with_its_last_words() -> None:
    process = run("echo cannot do it; exit 1")
    with pytest.raises(LabError, match=r"(?s)program ended without printing 'ready'.*cannot do it"):
        process.wait_for("ready", 10)
    process.wait(10)


def test_a_deadline_is_kept() -> None:
    process = run("exec sleep 60")
    try:
        with pytest.raises(LabError, match="without printing 'ready'"):
            process.wait_for("ready", 0.05)
    finally:
        process.stop()


def test_lines_come_when_they_are_complete_and_end_with_the_program(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start("program", FORK, ["sh", "-c", "echo one; printf two; read -r end; echo three"], log=log)
    lines = process.lines()
    assert next(lines) == "one"
    assert list(lines) == ["twothree"]  # its standard input is empty, so it went on
    assert process.wait(10) == 0
    assert log.read_text() == process.output


def test_stop_signals_the_program_itself_and_returns_its_status() -> None:
    process = run("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done")
    process.wait_for("up", 10)
    assert process.stop() == 7
    assert process.output == "up\nbye\n"


def test_stop_kills_a_program_that_does_not_listen() -> None:
    process = run("trap '' TERM; echo up; while :; do sleep 0.01; done")
    process.wait_for("up", 10)
    before = time.monotonic()
    assert process.stop(timeout=0.2) in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert time.monotonic() - before < 10
    assert process.stop() == process.stop()  # it may be said again


def test_a_program_that_cannot_be_started_is_reported() -> None:
    with pytest.raises(LabError, match=r"program cannot be started: .*no-such-namespace"):
        start("program", ["sh", "-c", "echo no-such-namespace >&2; exit 1"], ["true"])


def test_no_process_is_left() -> None:
    process = run("exec sleep 60")
    process.stop()
    assert subprocess.run(["ps", "-p", str(process.pid)], capture_output=True, check=False).returncode == 1
