"""A fleet in a directory: what is read of it, and what is not."""

import asyncio
import math
import os
from pathlib import Path

import pytest
from support.repositories import Listener
from support.rights import directory_for_nobody, without_root

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.directory import DirectoryFollower, read_fleet
from iluvatar_pxe.gitops.kept import KeptFile
from iluvatar_pxe.gitops.repository.bare import Commit
from iluvatar_pxe.gitops.repository.tree import MAX_FILE

MACHINE = "match: {macs: [52:54:00:00:00:01]}\nchain: local\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A good fleet of one machine."""
    directory = tmp_path / "fleet"
    (directory / "machines").mkdir(parents=True)
    (directory / "fleet.yaml").write_text("domain: home.example\n")
    (directory / "machines" / "one.yaml").write_text(MACHINE)
    return directory


def findings(directory: Path) -> list[str]:
    with pytest.raises(FleetError) as caught:
        read_fleet(directory)
    assert all(line.isprintable() for line in caught.value.findings)
    return caught.value.findings


def test_a_directory_is_read(fleet: Path) -> None:
    (fleet / "docs").mkdir()
    (fleet / "docs" / "notes.txt").write_text("ours")
    read = read_fleet(fleet)
    assert read.settings.domain == "home.example"
    assert read.names == {"one"}
    assert read.texts == {"docs/notes.txt": "ours"}


def test_hidden_files_and_folders_are_not_read(fleet: Path) -> None:
    (fleet / ".git").mkdir()
    (fleet / ".git" / "index").write_bytes(b"\xff\xfe")
    (fleet / "machines" / ".one.yaml.swp").write_bytes(b"\xff\xfe")
    assert read_fleet(fleet).names == {"one"}


def test_findings_name_the_file_on_this_host(fleet: Path) -> None:
    (fleet / "machines" / "one.yaml").write_text("chain: never\n")
    assert findings(fleet)[0].startswith(f"{fleet}/machines/one.yaml:1: chain: input should be ")


@pytest.mark.parametrize("make", [lambda _path: None, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_no_directory(tmp_path: Path, make: object) -> None:
    directory = tmp_path / "fleet"
    assert callable(make)
    make(directory)
    assert findings(directory) == [f"{directory}: is not a directory; create it or correct [fleet] source"]


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def write_octets(path: Path) -> None:
    path.write_bytes(b"a: \xff\n")


def write_too_much(path: Path) -> None:
    path.write_bytes(b"#" * (MAX_FILE + 1))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_fifo, "not a regular file"),
        (link_to_a_device, "not a regular file"),
        (link_to_nothing, "No such file or directory"),
        (write_octets, "'utf-8' codec can't decode byte 0xff in position 3: invalid start byte"),
        (write_too_much, "larger than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_read(fleet: Path, make: object, reason: str) -> None:
    assert callable(make)
    make(fleet / "machines" / "two.yaml")
    assert findings(fleet) == [f"{fleet}/machines/two.yaml:1: cannot be read: {reason}; correct or remove it"]


def test_the_largest_file_is_read(fleet: Path) -> None:
    (fleet / "large.txt").write_bytes(b"#" * MAX_FILE)
    assert len(read_fleet(fleet).texts["large.txt"]) == MAX_FILE


def test_a_name_with_a_line_break_keeps_its_finding_on_one_line(fleet: Path) -> None:
    (fleet / "machines" / "a\nb.yaml").write_text(MACHINE)
    assert any("/machines/a\\nb.yaml:1: its name is not a host name" in line for line in findings(fleet))


def test_a_folder_closed_to_the_service_is_a_fault_and_no_empty_fleet() -> None:
    with directory_for_nobody() as directory:
        (directory / "fleet.yaml").touch()
        (directory / "machines").mkdir(mode=0o000)
        (directory / "closed.txt").touch(mode=0o000)
        with without_root():
            found = findings(directory)
        (directory / "machines").chmod(0o755)
    assert sorted(found) == [
        f"{directory}/closed.txt:1: cannot be read: Permission denied; correct or remove it",
        f"{directory}/machines:1: cannot be read: Permission denied; correct its permissions",
    ]


def test_a_fleet_in_a_closed_folder_is_not_read() -> None:
    with directory_for_nobody() as directory:
        place = directory / "closed" / "fleet"
        (directory / "closed").mkdir(mode=0o000)
        with without_root():
            found = findings(place)
        (directory / "closed").chmod(0o755)
    assert found == [f"{place}: cannot be read: Permission denied; correct its permissions or [fleet] source"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\nb", "/a\\nb: is not a directory; create it or correct [fleet] source"),
        ("x" * 300, ": cannot be read: File name too long; correct its permissions or [fleet] source"),
        ("\0", "/\\x00: cannot be read: embedded null byte; correct its permissions or [fleet] source"),
    ],
)
def test_no_name_of_a_directory(tmp_path: Path, name: str, expected: str) -> None:
    (line,) = findings(tmp_path / name)
    assert line.endswith(expected)


def test_what_is_no_text_may_lie_beside_the_fleets_own_files(fleet: Path) -> None:
    (fleet / "logo.png").write_bytes(b"\x89PNG\xff")
    (fleet / "large.iso").write_bytes(b"x" * (MAX_FILE + 1))
    assert read_fleet(fleet).texts == {}


def test_a_file_that_cannot_be_read_hides_no_other_fault(fleet: Path) -> None:
    (fleet / "machines" / "two.yaml").write_bytes(b"\xff")
    (fleet / "machines" / "one.yaml").write_text(f"{MACHINE}colour: red\n")
    two, one = findings(fleet)
    assert two.startswith(f"{fleet}/machines/two.yaml:1: cannot be read: ")
    assert one.startswith(f"{fleet}/machines/one.yaml:3: colour: no such key")


def test_of_very_many_faults_the_first_hundred_are_told(fleet: Path) -> None:
    keys = "".join(f"key{number}: 1\n" for number in range(250))
    (fleet / "machines" / "one.yaml").write_text(MACHINE + keys)
    told = findings(fleet)
    assert len(told) == 101
    assert told[-1].endswith("and 150 faults more")


class SlowListener(Listener):
    """Takes its time over the first fleet that it is told, until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.told, self.released = asyncio.Event(), asyncio.Event()

    async def adopt(
        self, fleet: Fleet, commit: Commit | None, *, rewritten: bool = False, most_age: float = math.inf
    ) -> None:
        if not self.told.is_set():
            self.told.set()
            await self.released.wait()
        await super().adopt(fleet, commit, rewritten=rewritten, most_age=most_age)


async def test_of_two_readings_at_a_time_the_newer_one_stays_in_force(fleet: Path) -> None:
    listener = SlowListener()
    follower = DirectoryFollower(fleet, listener, KeptFile(fleet.with_suffix(".applied"), ""))
    async with asyncio.TaskGroup() as group:
        group.create_task(follower.refresh())
        await listener.told.wait()
        (fleet / "machines" / "one.yaml").rename(fleet / "machines" / "two.yaml")
        second = group.create_task(follower.refresh())
        await asyncio.wait([second], timeout=1)  # it has time to be done, if it does not wait for the first
        listener.released.set()
    assert [adopted.names for adopted, _, _ in listener.adopted] == [{"one"}, {"two"}]
