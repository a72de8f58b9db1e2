"""The enrolment window of two daemons that follow one repository."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.repositories import Person, bare

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.origin import FollowedOrigin
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.window import Window
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.enrolment import FleetWindow
from iluvatar_pxe.provisioning.rollout import Rollout


class Daemon:
    """What of a daemon follows a repository and has a window."""

    def __init__(self, directory: Path, central: Path, *, read_only: bool) -> None:
        directory.mkdir()
        self.inventory = Inventory(f"sqlite:///{directory}.db")
        rollout = Rollout(
            Applied(),
            AssetStore(directory),
            self.inventory,
            Opener(lambda: None),
            repository_decides=not read_only,
        )
        remote = Remote(f"file://{central}", directory / "hosts")
        copy = bare(directory / "followed.git")
        self.follower = Follower(FollowedOrigin(copy, remote, poll=60, read_only=read_only), rollout)
        self.keeper = FleetWindow(self.follower.commit)

    @property
    def window(self) -> Window:
        return self.inventory.window


@asynccontextmanager
async def daemon(directory: Path, central: Path, *, read_only: bool = False) -> AsyncIterator[Daemon]:
    made = Daemon(directory, central, read_only=read_only)
    await made.inventory.open()
    await made.follower.start()
    yield made
    await made.inventory.close()


@pytest.fixture
def central(tmp_path: Path) -> Path:
    repository = bare(tmp_path / "central.git")
    person = Person(tmp_path / "clone", str(repository.path))
    person.commit({"fleet.yaml": ""})
    person.push()
    return repository.path


async def test_what_one_commits_holds_for_both(tmp_path: Path, central: Path) -> None:
    async with daemon(tmp_path / "one", central) as one, daemon(tmp_path / "two", central) as two:
        for seconds in (0, 1800):
            await one.keeper.set(seconds, "anna")
            assert one.window.remaining == pytest.approx(seconds, abs=30)
            await two.follower.refresh()
            assert two.window.remaining == pytest.approx(seconds, abs=30)
            assert two.window.opened_by == one.window.opened_by
        await two.keeper.set(0, "bert")
        await one.follower.refresh()
        assert (one.window.is_open, one.window.opened_by.split()[0]) == (False, "bert")


async def test_a_daemon_that_may_not_write_has_a_window_of_its_own(tmp_path: Path, central: Path) -> None:
    async with (
        daemon(tmp_path / "one", central) as one,
        daemon(tmp_path / "two", central, read_only=True) as two,
    ):
        await one.keeper.set(0, "anna")
        await two.follower.refresh()
        assert two.window.is_open


async def test_what_cannot_be_committed_changes_nothing(tmp_path: Path, central: Path) -> None:
    async with daemon(tmp_path / "one", central) as one:
        shutil.rmtree(central)
        with pytest.raises(RepositoryError, match=r"^the enrolment window is as it was: "):
            await one.keeper.set(0, "anna")
        assert one.window.is_open
