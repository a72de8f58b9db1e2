"""Repositories that lie here: never half of one, for the owner of the directory, and configured at every start."""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.git_site import hosted
from support.one_thread import OneThread, begin, cancel
from support.repositories import Person, git
from support.rights import NOBODY, directory_for_nobody
from support.waiting import until, wait_until

from iluvatar_pxe.errors import RepositoryError, UsageError
from iluvatar_pxe.gitops.repository.hosting import host, hosted_names, repository_path

SCRIPT = """
import asyncio, pathlib, sys
from iluvatar_pxe.gitops.repository.hosting import host
asyncio.run(host(pathlib.Path(sys.argv[1]), "main", checked=True, max_push=1))
"""


def setting(path: Path, key: str) -> str:
    return git(path, "config", "--get", key).strip()


def test_it_is_a_bare_repository_whose_clones_check_out_the_branch(tmp_path: Path) -> None:
    path = asyncio.run(host(tmp_path / "state/git/fleet.git", "trunk", checked=True, max_push=7)).path
    assert git(path, "symbolic-ref", "HEAD").strip() == "refs/heads/trunk"
    assert setting(path, "core.bare") == "true"
    assert setting(path, "receive.maxInputSize") == "7m"
    assert setting(path, "transfer.hideRefs") == "refs/iluvatar"
    assert setting(path, "core.useReplaceRefs") == "false"
    assert "gitops/pre_receive.py trunk\n" in (path / "hooks/pre-receive").read_text()
    assert os.access(path / "hooks/pre-receive", os.X_OK)
    assert [one.name for one in path.parent.iterdir()] == ["fleet.git"], "nothing is left beside it"


def test_a_second_call_renews_the_settings_and_keeps_all_else(tmp_path: Path) -> None:
    path = hosted(tmp_path / "fleet.git", checked=True)
    commit = git(path, "commit-tree", "-m", "x", git(path, "mktree").strip()).strip()
    git(path, "update-ref", "refs/heads/main", commit)
    git(path, "config", "gc.auto", "0")
    (path / "hooks/pre-receive").write_text("an interpreter that is not there any more")
    asyncio.run(host(path, "other", checked=True, max_push=9))
    assert setting(path, "receive.maxInputSize") == "9m"
    assert setting(path, "gc.auto") == "0", "what a person has set stays"
    assert git(path, "symbolic-ref", "HEAD").strip() == "refs/heads/other"
    assert git(path, "config", "--get-all", "include.path").splitlines() == ["iluvatar-pxe.config"]
    assert sys.executable in (path / "hooks/pre-receive").read_text()
    assert git(path, "rev-parse", "refs/heads/main").strip() == commit


def test_others_than_the_fleet_have_no_hook(tmp_path: Path) -> None:
    assert not (hosted(tmp_path / "apps.git", checked=False) / "hooks").exists()


def test_many_may_make_it_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "fleet.git"
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: hosted(path, checked=True), range(4))) == {path}
    assert [one.name for one in tmp_path.iterdir()] == ["fleet.git"]
    assert git(path, "rev-parse", "--is-bare-repository").strip() == "true"


async def test_nothing_is_left_where_it_is_cancelled_just_when_its_making_begins(tmp_path: Path) -> None:
    """The thread has made a directory, and nobody has heard of that yet."""
    thread = OneThread()

    def is_begun() -> bool:
        return any(tmp_path.glob("git/*"))

    making = await begin(host(tmp_path / "git/fleet.git", "main", checked=True, max_push=1))
    thread.catch_up()
    while not is_begun():
        await asyncio.sleep(0)
        thread.catch_up()
    await cancel(making)
    await until(lambda: not is_begun())


@pytest.mark.parametrize("seen", [".fleet.git-*", ".fleet.git-*/HEAD", ".fleet.git-*/hooks", "fleet.git"])
def test_killed_half_way_the_next_call_makes_it(tmp_path: Path, seen: str) -> None:
    place = tmp_path / "git"
    path = place / "fleet.git"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)])
    wait_until(lambda: [*place.glob(seen)] or process.poll() is not None, "it to come so far")
    process.kill()
    process.wait()
    assert not path.exists() or setting(path, "receive.maxInputSize") == "1m", "half of one is never seen"

    def is_made_again() -> bool:
        for left in place.glob(".fleet.git-*"):  # a git that was begun goes on for a moment
            os.utime(left, (0, time.time() - 3 * 3600))
        hosted(path, checked=True)
        return [one.name for one in place.iterdir()] == ["fleet.git"]

    wait_until(is_made_again, "what was left to be removed")
    assert "error" not in git(path, "fsck", "--full")


def test_what_a_killed_call_has_left_is_removed_when_another_was_quicker(tmp_path: Path) -> None:
    path = hosted(tmp_path / "fleet.git", checked=True)
    left = tmp_path / ".fleet.git-abc"
    left.mkdir()
    os.utime(left, (0, time.time() - 3 * 3600))
    hosted(path, checked=True)
    assert [one.name for one in tmp_path.iterdir()] == ["fleet.git"]


def test_a_push_is_on_the_disk_before_it_is_accepted(tmp_path: Path) -> None:
    """Objects and refs are flushed, as git tells itself of each of its programs (api-trace2)."""
    path = hosted(tmp_path / "fleet.git", checked=False)
    ada = Person(tmp_path / "ada", str(path))
    ada.commit({"fleet.yaml": ""})
    (tmp_path / "trace").mkdir()
    ada._environment = {"GIT_TRACE2_EVENT": str(tmp_path / "trace")}
    ada.push()
    flushed = {}
    for trace in (tmp_path / "trace").iterdir():
        events = [json.loads(line) for line in trace.read_text().splitlines()]
        program = next((one["name"] for one in events if one["event"] == "cmd_name"), "")
        flushed[program] = sum(
            int(one["value"])
            for one in events
            if one["event"] == "data" and one["key"] == "fsync/hardware-flush"
        )
    assert flushed["index-pack"] >= 2, "the pack and its index"
    assert flushed["receive-pack"] >= 1, "the ref"


def test_what_a_killed_push_has_left_is_removed(tmp_path: Path) -> None:
    path = hosted(tmp_path / "fleet.git", checked=True)
    old, young = (path / "objects" / name for name in ("tmp_objdir-incoming-a", "tmp_objdir-incoming-b"))
    for directory in (old, young):
        directory.mkdir()
        (directory / "pack").write_bytes(b"x")
    os.utime(old, (0, time.time() - 3 * 3600))
    hosted(path, checked=True)
    assert not old.exists()
    assert young.exists(), "a push may be under way"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners")
def test_root_makes_it_for_the_owner_of_the_directory() -> None:
    with directory_for_nobody() as place:
        os.chown(place, NOBODY, NOBODY)
        path = hosted(place / "git" / "fleet.git", checked=True)
        owners = {(one.stat().st_uid, one.stat().st_gid) for one in [path.parent, *path.parent.rglob("*")]}
        assert owners == {(NOBODY, NOBODY)}


def test_what_is_no_repository_is_told_and_left(tmp_path: Path) -> None:
    path = tmp_path / "fleet.git"
    path.mkdir()
    (path / "letter.txt").write_text("Dear Ada")
    with pytest.raises(RepositoryError, match=r"fleet\.git: .*not a git repository") as caught:
        hosted(path, checked=True)
    assert "\n" not in str(caught.value)
    assert [one.name for one in path.iterdir()] == ["letter.txt"]


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "git").write_text("")
    with pytest.raises(RepositoryError, match="git: cannot be written: "):
        hosted(tmp_path / "git" / "fleet.git", checked=True)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".fleet",
        "-x",
        "a/b",
        "Fleet",
        "fleet\n",
        "fl\0eet",
        "ü",
        "a" * 64,
        "/etc",
        "a b",
        ".git",
        "a.git.git",
    ],
)
def test_what_leads_elsewhere_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a repository name"):
        repository_path(tmp_path, name)


def test_a_name_may_be_written_as_in_its_url(tmp_path: Path) -> None:
    assert repository_path(tmp_path, "apps.git") == repository_path(tmp_path, "apps") == tmp_path / "apps.git"


def test_the_hosted_are_named(tmp_path: Path) -> None:
    assert hosted_names(tmp_path / "not-there") == []
    for name in ("b", "a.b", "c-1"):
        hosted(repository_path(tmp_path, name), checked=False)
    (tmp_path / "Else.git").mkdir()
    (tmp_path / "file.git").write_text("")
    assert hosted_names(tmp_path) == ["a.b", "b", "c-1"]
