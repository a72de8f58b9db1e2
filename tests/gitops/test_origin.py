"""When a hosted repository is looked at. Pushes are by real git, in processes of their own."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.repositories import Person, bare, git

from iluvatar_pxe.gitops.origin import HostedOrigin
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.host.directory_watch import DirectoryWatch

LONG = 60.0


class Place:
    """A hosted repository, and a person who has a commit that is not in it yet."""

    def __init__(self, directory: Path, branch: str = "main") -> None:
        self.path = directory / "git" / "fleet.git"
        self.path.parent.mkdir()
        bare(self.path)
        self.branch = branch
        self.person = Person(directory / "clone", str(self.path))
        self.person.commit({"fleet.yaml": ""})
        self.push()
        self.person.commit({"fleet.yaml": "{}\n"})
        self.origin = HostedOrigin(Repository(Git(self.path), branch))

    def push(self, *others: str) -> None:
        self.person.git("push", "--quiet", "origin", f"HEAD:refs/heads/{self.branch}", *others)

    async def waiting(self) -> asyncio.Task[None]:
        """Return what waits for a change, after it has been seen to wait."""
        await self.origin.newest()
        task = asyncio.create_task(self.origin.changed())
        assert not (await asyncio.wait([task], timeout=0.2))[0]
        return task


def push(place: Place) -> None:
    place.push()


def push_after_packing(place: Place) -> None:
    git(place.path, "pack-refs", "--all", "--prune")
    place.push()


def push_and_collect(place: Place) -> None:
    place.push()
    git(place.path, "gc", "--quiet")


def push_ten(place: Place) -> None:
    place.push(*(f"HEAD:refs/heads/other{number}" for number in range(9)))


def replace(place: Place) -> None:
    other = place.path.with_name("other.git")
    shutil.copytree(place.path, other)
    place.path.rename(place.path.with_name("old.git"))
    other.rename(place.path)


def remove(place: Place) -> None:
    shutil.rmtree(place.path)


@pytest.fixture(autouse=True)
def never_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGAIN_SECONDS", "ANYWAY_SECONDS"):
        monkeypatch.setattr(f"iluvatar_pxe.gitops.origin.{name}", LONG)


@pytest.mark.parametrize("act", [push, push_after_packing, push_and_collect, push_ten, replace, remove])
async def test_the_kernel_tells_of_a_change(tmp_path: Path, act: Callable[[Place], None]) -> None:
    place = Place(tmp_path)
    waiting = await place.waiting()
    await asyncio.to_thread(act, place)
    await asyncio.wait_for(waiting, LONG / 2)


async def test_a_branch_in_folders_is_followed_where_git_removes_them(tmp_path: Path) -> None:
    place = Place(tmp_path, "team/fleet")
    await asyncio.to_thread(git, place.path, "pack-refs", "--all", "--prune")
    assert not (place.path / "refs/heads/team").exists()
    waiting = await place.waiting()
    await asyncio.to_thread(place.push)
    await asyncio.wait_for(waiting, LONG / 2)


async def test_another_branch_is_none_of_its_business(tmp_path: Path) -> None:
    place = Place(tmp_path)
    waiting = await place.waiting()
    await asyncio.to_thread(place.person.git, "push", "--quiet", "origin", "HEAD:refs/heads/other")
    assert not (await asyncio.wait([waiting], timeout=0.2))[0]
    waiting.cancel()


async def test_it_is_looked_at_where_the_kernel_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's limit is a stand-in here; tests/host/test_directory_watch.py meets the real one."""

    def refuse(*_: object) -> None:
        raise OSError(24, "fs.inotify.max_user_instances is reached")

    monkeypatch.setattr(DirectoryWatch, "follow", refuse)
    monkeypatch.setattr("iluvatar_pxe.gitops.origin.LOOK_SECONDS", 0.02)
    place = Place(tmp_path)
    with capture_logs() as logs:
        waiting = await place.waiting()
        await asyncio.to_thread(place.push)
        await asyncio.wait_for(waiting, LONG / 2)
    assert [(log["event"], "max_user_instances" in log["why"]) for log in logs] == [("git.untold", True)]
