"""Locks of a git that was killed are in nobody's way for long; one that is held is left alone."""

import os
import time
from pathlib import Path

import pytest
from support.repositories import Listener, Person, bare, git

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.origin import FollowedOrigin, HostedOrigin
from iluvatar_pxe.gitops.repository.bare import IN_FORCE, Changes
from iluvatar_pxe.gitops.repository.hosting import host
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.repository.stale_locks import remove_stale_locks

LOCKS = (
    "HEAD.lock",
    "packed-refs.lock",
    "config.lock",
    "refs/heads/main.lock",
    "refs/iluvatar/in-force.lock",
)


def lock(repository: Path, name: str, age: float) -> Path:
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def note(revision: Revision) -> Changes | None:
    return None if "note.txt" in revision.tree.texts else Changes("x\n", {"note.txt": b"1"})


@pytest.mark.parametrize("name", LOCKS)
def test_old_ones_go_and_young_ones_stay(tmp_path: Path, name: str) -> None:
    path = bare(tmp_path / "x.git").path
    young, old = lock(path, name, 1), lock(tmp_path / "x.git", f"{name.removesuffix('.lock')}2.lock", 100)
    assert remove_stale_locks(path) == 1
    assert (young.exists(), old.exists()) == (True, False)


async def test_a_hosted_repository_goes_on_after_its_locks_have_gone_stale(tmp_path: Path) -> None:
    repository = bare(tmp_path / "x.git")
    person = Person(tmp_path / "clone", str(repository.path))
    person.commit({"fleet.yaml": ""})
    person.push()
    follower = Follower(HostedOrigin(repository), Listener())
    lock(repository.path, "refs/iluvatar/in-force.lock", 1)
    await follower.start()
    assert await repository.resolve(IN_FORCE) is None
    lock(repository.path, "refs/heads/main.lock", 1)
    with pytest.raises(RepositoryError, match="File exists"):
        await follower.commit(note)
    for name in LOCKS:
        lock(repository.path, name, 100)
    await follower.refresh()
    assert (await follower.commit(note)).fleet.listed == ()
    assert await repository.resolve(IN_FORCE) == await repository.tip()
    assert git(repository.path, "fsck", "--strict", "--no-dangling") == ""


async def test_a_lock_at_the_remote_is_no_lost_race(tmp_path: Path) -> None:
    central = bare(tmp_path / "central.git")
    person = Person(tmp_path / "clone", str(central.path))
    person.commit({"fleet.yaml": ""})
    person.push()
    remote = Remote(f"file://{central.path}", tmp_path / "hosts")
    follower = Follower(FollowedOrigin(bare(tmp_path / "copy.git"), remote, 1.0, read_only=False), Listener())
    await follower.start()
    lock(central.path, "refs/heads/main.lock", 1)
    with pytest.raises(RepositoryError, match="rejects this daemon's push"):
        await follower.commit(note)


async def test_a_start_clears_what_a_power_cut_left(tmp_path: Path) -> None:
    repository = await host(tmp_path / "x.git", "main", checked=False, max_push=1)
    left = lock(repository.path, "refs/heads/main.lock", 15)
    await host(repository.path, "main", checked=False, max_push=1)
    assert not left.exists()


async def test_what_could_not_be_read_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that fails for a moment, as where memory is short; nobody pushes afterwards."""
    repository = bare(tmp_path / "x.git")
    person = Person(tmp_path / "clone", str(repository.path))
    person.commit({"fleet.yaml": ""})
    person.push()
    follower = Follower(HostedOrigin(repository), listener := Listener())
    broken = tmp_path / "bin" / "git"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'fatal: Out of memory' >&2\nexit 128\n")
    broken.chmod(0o755)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{broken.parent}:{path}")
    await follower.start()
    assert follower.problem
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr("iluvatar_pxe.gitops.origin.SOON_SECONDS", 0.1)
    await follower._origin.changed(is_well=False)
    await follower.refresh()
    assert not follower.problem
    assert len(listener.adopted) == 1
