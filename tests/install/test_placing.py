"""Files put in place whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from iluvatar_pxe.errors import InstallError
from iluvatar_pxe.install.placing import give, make_directory, open_to, put, remove
from iluvatar_pxe.install.program import check_readable

KILLED_BEFORE_THE_RENAME = """
import os, pathlib, signal, sys
from iluvatar_pxe.install.placing import put
pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
put(pathlib.Path(sys.argv[1]), "new")
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_put_once(tmp_path: Path) -> None:
    file = tmp_path / "etc" / "unit"
    assert [put(file, "a"), put(file, "a"), put(file, "b")] == ["installed", "unchanged", "updated"]
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("b", 0o644)
    assert names(file.parent) == ["unit"]


def test_one_that_is_killed_leaves_the_old_file_and_the_next_one_clears_up(tmp_path: Path) -> None:
    file = tmp_path / "unit"
    put(file, "old")
    ended = subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_RENAME, str(file)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (file.read_text(), len(names(tmp_path))) == ("old", 2)
    assert put(file, "old") == "unchanged"
    assert names(tmp_path) == ["unit"]


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    code = "import pathlib, sys; from iluvatar_pxe.install.placing import put\nfor n in range(200): put(pathlib.Path(sys.argv[1]), str(n))"
    command = [sys.executable, "-c", code, str(tmp_path / "etc" / "unit")]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert names(tmp_path / "etc") == ["unit"]


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_directory(tmp_path / "var" / "lib" / "state", 0o750)
    finally:
        os.umask(before)
    found = [path.stat().st_mode & 0o777 for path in sorted(tmp_path.rglob("*"))]
    assert found == [0o755, 0o755, 0o750]


@pytest.mark.parametrize(
    ("before", "user", "done"),
    [
        (0o700, 1234, "opened to the service user"),
        (0o755, 1234, "unchanged"),
        (0o700, os.geteuid(), "unchanged"),
        (0o500, os.geteuid(), "opened to the service user"),
    ],
)
def test_a_closed_directory_is_opened(tmp_path: Path, before: int, user: int, done: str) -> None:
    tmp_path.chmod(before)
    assert open_to(tmp_path, user, 1234, 0o755) == done
    assert tmp_path.stat().st_mode & 0o777 == (before if done == "unchanged" else 0o755)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "unit"
    put(file, "old")
    script = 'mount -t tmpfs -o size=16k full "$1" && cd "$1" && shift && exec "$@"'
    code = (
        "import pathlib; from iluvatar_pxe.install.placing import put; file = pathlib.Path('unit').absolute()\n"
        "put(file, 'old')\ntry: put(file, 'x' * 100000)\n"
        "except Exception as error: print(repr(error), file.read_text(), *file.parent.iterdir())"
    )
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", str(tmp_path)]
    done = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "No space left on device; free some space" in done.stdout, done.stderr
    assert done.stdout.endswith(f" old {tmp_path}/unit\n")


def test_what_is_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for act in (make_directory, lambda path: put(path / "unit", "x")):
        with pytest.raises(InstallError, match=r"^/.*/file: File exists; move away what is in its place"):
            act(tmp_path / "file")
        with pytest.raises(
            InstallError, match=r"^/.*/file/x: Not a directory; move away what is in its place"
        ):
            act(tmp_path / "file" / "x" / "y")
    (tmp_path / "unit").mkdir()
    with pytest.raises(InstallError, match=r"^/.*/unit: Is a directory; move away what is in its place"):
        put(tmp_path / "unit", "x")
    assert names(tmp_path) == ["file", "unit"]


def test_removing_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    assert [remove(tmp_path / name) for name in ("link", "link", "kept")] == [
        "removed",
        "not present",
        "removed",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to another user")
def test_giving_follows_no_link_and_leaves_what_is_linked_elsewhere(tmp_path: Path) -> None:
    state, other = tmp_path / "state", tmp_path / "other"
    (state / "below").mkdir(parents=True)
    for path in (other, state / "below" / "own"):
        path.touch()
    (state / "soft").symlink_to(other)
    (state / "hard").hardlink_to(other)
    assert give(state, 1234, 1234) == "4 given to the service user"
    assert give(state, 1234, 1234) == "unchanged"
    assert (other.stat().st_uid, (state / "below" / "own").stat().st_uid) == (0, 1234)


@pytest.mark.parametrize(
    ("path", "why"),
    [("/root/x", "is in /root, which"), ("/home/pi/.venv/bin/x", "is in /home, which")],
)
def test_a_program_in_a_home_directory_is_refused(path: str, why: str) -> None:
    with pytest.raises(InstallError, match=why):
        check_readable([Path(path)])


def test_a_program_in_a_closed_directory_is_refused() -> None:
    check_readable([Path("/bin/sh")])
    with pytest.raises(InstallError, match="not readable by the service user"):
        check_readable([Path("/etc/shadow")])
