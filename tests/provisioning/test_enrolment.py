"""The enrolment window of two daemons that follow one repository."""

import shutil
from pathlib import Path

import pytest
from support.following import central_in, daemon

from iluvatar_pxe.errors import RepositoryError


@pytest.fixture
def central(tmp_path: Path) -> Path:
    return central_in(tmp_path, {"fleet.yaml": ""})


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
