"""A filesystem that is really full, or really read-only: a small tmpfs in a private mount namespace."""

import subprocess
import sys
from pathlib import Path

import pytest
from inventory.samples import DEADLINE_SECONDS

TESTS = Path(__file__).parents[2]
PRIVATE = ("unshare", "--mount", "--propagation", "private")


def may_mount(directory: Path) -> bool:
    try:
        command = [*PRIVATE, "mount", "-t", "tmpfs", "small", str(directory)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def outcome(scenario: str, directory: Path) -> list[str]:
    if not may_mount(directory):
        pytest.skip("needs root and unshare, to mount a small filesystem")
    done = subprocess.run(
        [
            *PRIVATE,
            sys.executable,
            "-W",
            "error",
            "-m",
            "inventory.database.scenario_full_disk",
            scenario,
            str(directory),
        ],
        cwd=TESTS,
        check=False,
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if "[" not in line]


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    health, known, recorded = outcome("fills_up_while_running", tmp_path)
    assert health.startswith(f"{tmp_path}/inventory.db: the disk is full (")
    assert health.endswith(f"; make room on the filesystem of {tmp_path}")
    assert (known, recorded) == ("100 machines known", "100 events recorded")


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    health, known, recorded = outcome("full_from_the_start", tmp_path)
    assert health.startswith(f"{tmp_path}/state/inventory.db: ")
    assert "full" in health or "No space left" in health
    assert (known, recorded) == ("10 machines known", "10 events recorded")


def test_a_filesystem_that_is_read_only_at_first(tmp_path: Path) -> None:
    health, known, recorded = outcome("read_only_at_the_start", tmp_path)
    assert health.startswith(f"{tmp_path}/inventory.db: it cannot be ")
    assert (known, recorded) == ("10 machines known", "10 events recorded")
