"""What is put in place is on the disk before its name is, and the name before anybody is told of it."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from iluvatar_pxe.host.durable import (
    move_aside,
    put_directory_in_place,
    put_in_place,
    remove_file,
    write_file,
)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is synced and renamed from now on, in this order."""
    done: list[str] = []
    real_fsync, real_replace, real_rename = os.fsync, os.replace, os.rename

    def fsync(handle: int) -> None:
        real_fsync(handle)
        done.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def naming(real: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        def call(old: Path, new: Path) -> None:
            real(old, new)
            done.append("name")

        return call

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "sync", lambda: done.append("everything"))
    monkeypatch.setattr(os, "replace", naming(real_replace))
    monkeypatch.setattr(os, "rename", naming(real_rename))
    return done


def test_a_file(tmp_path: Path, steps: list[str]) -> None:
    write_file(tmp_path / "key", b"secret")
    assert steps == ["file", "name", "directory"]
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_s_mode_is_the_one_named_whatever_was_there(tmp_path: Path, mode: int) -> None:
    (tmp_path / "key").touch(0o640)
    write_file(tmp_path / "key", b"secret", mode)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == mode


def test_a_file_that_is_whole(tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "new").write_bytes(b"whole")
    put_in_place(tmp_path / "new", tmp_path / "old")
    assert steps == ["file", "name", "directory"]


def test_a_directory(tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "new").mkdir()
    put_directory_in_place(tmp_path / "new", tmp_path / "old")
    assert steps == ["everything", "name", "directory"]


def test_what_is_damaged_is_kept_under_names_of_its_own(tmp_path: Path, steps: list[str]) -> None:
    names = []
    for content in (b"one", b"two"):
        (tmp_path / "config").write_bytes(content)
        names.append(move_aside(tmp_path / "config").name)
    assert names == ["config.damaged-1", "config.damaged-2"]
    assert (tmp_path / "config.damaged-1").read_bytes() == b"one"
    assert steps == ["name", "directory"] * 2


def test_a_disk_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(b"old")

    def failing(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output error"):
        write_file(tmp_path / "key", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("key", b"old")]


KILLED = """
import os, signal, sys
from pathlib import Path
from iluvatar_pxe.host.durable import write_file
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_file(Path(sys.argv[1]), b"new")
"""


def test_what_a_killed_process_has_left_is_removed_with_the_file(tmp_path: Path) -> None:
    file, other = tmp_path / "a[1]", tmp_path / ".a1-note"
    write_file(file, b"old")
    other.touch()
    killed = subprocess.run([sys.executable, "-c", KILLED, file], check=False)
    assert killed.returncode < 0
    assert len(list(tmp_path.iterdir())) == 3
    assert file.read_bytes() == b"old"
    remove_file(file)
    assert list(tmp_path.iterdir()) == [other]
    remove_file(file)
