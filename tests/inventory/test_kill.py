"""kill -9 in the middle of assigning, and two processes on one file: no name given twice, none lost."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from inventory.samples import DEADLINE_SECONDS, known, rows

MACHINES = 12


def enrolling(file: Path, first: int, count: int = MACHINES) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inventory.scenario_assign", str(file), str(first), str(count)]
    return subprocess.Popen(
        command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def told(lines: list[str]) -> dict[str, str]:
    """Return the names by MAC that a process said it gave; the log's lines and a torn last one do not count."""
    whole = [line for line in lines if line.endswith("\n") and line.startswith("52:54:")]
    return {line.split()[0]: line.split()[1] for line in whole}


def killed_after(file: Path, first: int, lines: int) -> dict[str, str]:
    with enrolling(file, first) as process:
        assert process.stdout is not None
        seen: list[str] = []
        while len(told(seen)) < lines:
            seen.append(process.stdout.readline())
        process.kill()
        seen += process.stdout.readlines()
    return told(seen)


def check(file: Path, given: dict[str, str]) -> None:
    assert rows(file, "PRAGMA integrity_check") == [("ok",)]
    assert rows(file, "PRAGMA foreign_key_check") == []
    assert rows(file, "SELECT count(*) FROM assignments WHERE role = 'controlplane'") == [(1,)]
    found = {mac: one.title for mac, one in known(file).items() if one.assignment}
    assert len(set(found.values())) == len(found)
    assert {mac: found.get(mac) for mac in given} == given


def kill_many_times(file: Path, rounds: int, random: Random) -> None:
    """Half of the machines of every round are those of the round before, half are new."""
    given: dict[str, str] = {}
    for number in range(rounds):
        again = killed_after(file, 1 + number * MACHINES // 2 % 200, random.randrange(1, MACHINES))
        check(file, given | again)
        assert {mac: name for mac, name in given.items() if mac in again} == {
            mac: name for mac, name in again.items() if mac in given
        }
        given |= again


def test_killed_in_the_middle_of_assigning(tmp_path: Path) -> None:
    kill_many_times(tmp_path / "inventory.db", 4, Random(1))


@pytest.mark.long
def test_killed_in_the_middle_of_assigning_many_times(tmp_path: Path) -> None:
    kill_many_times(tmp_path / "inventory.db", 100, Random(2))


def test_two_processes_on_one_file(tmp_path: Path) -> None:
    """It is not meant to be: the second daemon's state directory is locked. The file holds all the same."""
    file = tmp_path / "inventory.db"
    first, second = enrolling(file, 1), enrolling(file, 1 + MACHINES)
    given: dict[str, str] = {}
    for process in (first, second):
        output, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0
        given |= told(output.splitlines(keepends=True))
    assert len(given) == 2 * MACHINES
    check(file, given)
