"""One lab at a time, and what a killed holder left is known for what it is."""

import os
import stat
from pathlib import Path

import pytest

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.running import Running, claimed, forget, publish, running, state_file

LAB = Running(holder=1, inside=2, daemon=3, fleet="/fleet", assets="/assets")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runtime" / "lab.json"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/run/iluvatar-pxe-lab/lab.json"),
        ({"XDG_RUNTIME_DIR": ""}, "/run/iluvatar-pxe-lab/lab.json"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/iluvatar-pxe-lab/lab.json"),
    ],
)
def test_the_state_is_in_the_users_runtime_directory(environ: dict[str, str], expected: str) -> None:
    assert state_file(environ, is_root=True) == Path(expected)


def test_without_a_runtime_directory_each_user_has_a_place_of_their_own() -> None:
    assert str(os.getuid()) in state_file({}, is_root=False).parent.name


def test_it_is_found_while_its_holder_lives(file: Path) -> None:
    assert running(file) is None
    with claimed(file) as state:
        with pytest.raises(LabError, match="is being built"):
            running(file)
        publish(state, LAB)
        assert running(file) == LAB
        with pytest.raises(LabError, match="a lab is up"), claimed(file):
            pass
        assert running(file) == LAB
    assert running(file) is None
    assert not file.exists()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_a_killed_holder_left_is_no_lab_and_can_be_removed(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"holder": 1, "inside": 1, "daemon": 1, "fleet": "", "assets": ""}')
    assert running(file) is None
    forget(file)
    assert not file.exists()
    forget(file)
    with claimed(file) as state:
        publish(state, LAB)
        assert running(file) == LAB
