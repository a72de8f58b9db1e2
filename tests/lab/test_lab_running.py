"""One lab at a time, and what a killed holder left is known for what it is."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import asdict
from support.full_disk import no_file_larger_than

from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.running import Running, claimed, forget, publish, running, state_file

NOTHING = '{"holder": 1, "inside": 1, "daemon": 1, "fleet": "", "assets": ""}'


@pytest.fixture(scope="module")
def lab() -> Iterator[Running]:
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces")
    with Namespace() as namespace:
        daemon = namespace.start("daemon", ["sleep", "infinity"])
        yield Running(os.getpid(), namespace.pid, daemon.pid, fleet="/fleet", assets="/assets")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runtime" / "lab.json"


@pytest.mark.parametrize(
    ("is_root", "expected"),
    [(True, "/run/iluvatar-pxe-lab/lab.json"), (False, "/run/user/7/iluvatar-pxe-lab/lab.json")],
)
def test_the_state_is_in_the_users_own_runtime_directory(expected: str, *, is_root: bool) -> None:
    assert state_file({"XDG_RUNTIME_DIR": "/run/user/7"}, is_root=is_root) == Path(expected)


def test_a_state_that_is_not_written_whole_is_no_lab(file: Path) -> None:
    with claimed(file) as state, no_file_larger_than(20), pytest.raises(OSError, match="File too large"):
        publish(state, Running(1, 1, 1, fleet="/fleet", assets="/assets"))


def test_a_user_without_a_runtime_directory_has_no_lab() -> None:
    with pytest.raises(LabError, match="XDG_RUNTIME_DIR is not set"):
        state_file({"XDG_RUNTIME_DIR": ""}, is_root=False)


def plant_for_others(file: Path) -> None:
    file.write_text(NOTHING)
    os.chown(file, 65534, 65534)


def plant_among_others(file: Path) -> None:
    file.write_text(NOTHING)
    os.chown(file.parent, 65534, 65534)


def plant_open(file: Path) -> None:
    file.write_text(NOTHING)
    file.chmod(0o666)


def plant_link(file: Path) -> None:
    (file.parent / "other").write_text(NOTHING)
    file.symlink_to("other")


def plant_linked_directory(file: Path) -> None:
    file.write_text(NOTHING)
    file.parent.rename(file.parent.with_name("other"))
    file.parent.symlink_to("other")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners")
@pytest.mark.parametrize(
    "plant",
    [
        plant_for_others,
        plant_among_others,
        plant_open,
        plant_link,
        plant_linked_directory,
        Path.mkdir,
        os.mkfifo,
    ],
)
def test_what_another_user_may_have_planted_is_refused(file: Path, plant: Callable[[Path], None]) -> None:
    file.parent.mkdir(mode=0o700)
    plant(file)
    for use in (running, forget):
        with pytest.raises(LabError, match=r"^[^\n]*remove [^\n]*$"):
            use(file)


def test_a_place_that_cannot_be_made_is_told(file: Path) -> None:
    file.parent.touch()
    with pytest.raises(LabError, match=r"Not a directory|File exists"), claimed(file):
        pass


@pytest.mark.parametrize("part", ["holder", "inside", "daemon"])
def test_processes_that_are_not_the_labs_are_left_alone(file: Path, lab: Running, part: str) -> None:
    other = lab.inside if part == "holder" else lab.holder
    with claimed(file) as state:
        publish(state, Running(**(asdict(lab) | {part: other})))
        with pytest.raises(LabError, match="the lab is stopping"):
            running(file)


def test_it_is_found_while_its_holder_lives(file: Path, lab: Running) -> None:
    assert running(file) is None
    with claimed(file) as state:
        with pytest.raises(LabError, match="the lab is starting"):
            running(file)
        publish(state, lab)
        assert running(file) == lab
        with pytest.raises(LabError, match="a lab is up"), claimed(file):
            pass
        assert running(file) == lab
    assert running(file) is None
    assert not file.exists()
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_what_a_killed_holder_left_is_no_lab_and_can_be_removed(file: Path, lab: Running) -> None:
    file.parent.mkdir()
    file.write_text(NOTHING)
    assert running(file) is None
    forget(file)
    assert not file.exists()
    forget(file)
    with claimed(file) as state:
        publish(state, lab)
        assert running(file) == lab
