"""A bare repository: commits made of changes, put on a branch only where it still is."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from support.repositories import Person, bare, git
from support.waiting import until

from iluvatar_pxe.errors import LostRaceError, RepositoryError
from iluvatar_pxe.gitops.repository.bare import IN_FORCE, Changes, Repository
from iluvatar_pxe.gitops.repository.git import Git, end_group, last_line


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return bare(tmp_path / "fleet.git")


async def test_an_empty_one_has_no_commit(repository: Repository) -> None:
    assert await repository.tip() is None
    assert await repository.resolve("HEAD") is None


async def test_changes_become_a_commit_that_git_itself_can_read(repository: Repository) -> None:
    files = {"fleet.yaml": b"", "machines/a b.yaml": "ü: 1\n".encode(), 'odd"\\.txt': b"\0\xff\n"}
    first = await repository.draft(None, Changes("Begin\n\nwith ü\n", files))
    assert await repository.tip() is None, "a draft is on no branch"
    await repository.advance(None, first)
    assert git(repository.path, "show", "-s", "--format=%B", "main").strip() == "Begin\n\nwith ü"
    for name, content in files.items():
        assert await repository.git.run("show", f"main:{name}") == content
    second = await repository.draft(first, Changes("On", {"machines/a b.yaml": None, "new": b"1"}))
    await repository.advance(first, second)
    assert git(repository.path, "-c", "core.quotePath=no", "ls-tree", "-r", "--name-only", "-z", "main") == (
        'fleet.yaml\0new\0odd"\\.txt\0'
    )
    described = await repository.describe(second)
    assert (described.id, described.author, described.subject) == (
        second,
        f"iluvatar-pxe on {os.uname().nodename}",
        "On",
    )
    assert git(repository.path, "fsck", "--strict", "--no-dangling") == ""


async def test_a_branch_that_has_moved_is_not_moved(repository: Repository) -> None:
    base = await repository.draft(None, Changes("base", {"a": b""}))
    await repository.advance(None, base)
    mine, theirs = [await repository.draft(base, Changes(who, {who: b""})) for who in ("mine", "theirs")]
    await repository.advance(base, theirs)
    with pytest.raises(LostRaceError):
        await repository.advance(base, mine)
    with pytest.raises(LostRaceError):
        await repository.advance(None, mine)
    assert await repository.tip() == theirs


async def test_of_many_at_once_one_wins(repository: Repository) -> None:
    base = await repository.draft(None, Changes("base", {"a": b""}))
    await repository.advance(None, base)
    drafts = [await repository.draft(base, Changes(f"{number}", {"a": b"1"})) for number in range(8)]
    outcomes = await asyncio.gather(
        *(repository.advance(base, draft) for draft in drafts), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    assert all(one is None or isinstance(one, LostRaceError) for one in outcomes), outcomes


async def test_revisions_are_resolved_and_options_are_not(repository: Repository, tmp_path: Path) -> None:
    commit = await repository.draft(None, Changes("base", {"a": b""}))
    await repository.advance(None, commit)
    await repository.put_in_force(commit)
    person = Person(tmp_path / "clone", str(repository.path))
    person.git("tag", "v1")
    person.push("origin", "v1")
    for revision in ("main", "HEAD", "v1", commit[:8], IN_FORCE, "main~0"):
        assert await repository.resolve(revision) == commit, revision
    for revision in ("none", "--help", "-1", "main:a", "", "\n", "main~1"):
        assert await repository.resolve(revision) is None, revision


async def test_history_that_was_rewritten_is_known(repository: Repository) -> None:
    one = await repository.draft(None, Changes("one", {"a": b"1"}))
    two = await repository.draft(one, Changes("two", {"a": b"2"}))
    other = await repository.draft(None, Changes("other", {"a": b"3"}))
    assert await repository.is_ancestor(one, two)
    assert not await repository.is_ancestor(two, one)
    assert not await repository.is_ancestor(one, other)
    assert not await repository.is_ancestor("0" * 40, other), "pruned since"


async def test_what_is_wrong_is_one_line_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RepositoryError, match=r"nowhere: no such repository") as caught:
        await Git(tmp_path / "nowhere").run("status")
    with pytest.raises(RepositoryError, match=r"git rev-parse: fatal: not a git repository") as other:
        await Git(tmp_path).run("rev-parse", "HEAD")
    assert all("\n" not in str(one.value) for one in (caught, other))


async def test_a_command_that_does_not_end_is_killed_with_its_children(repository: Repository) -> None:
    hang = Git(repository.path, {"alias.hang": "!sleep 1000 & wait"})
    with pytest.raises(RepositoryError, match=r"git hang: did not end within 0.2 s"):
        await hang.run("hang", seconds=0.2)
    running = (await asyncio.create_subprocess_exec("pgrep", "-f", "^sleep 1000$")).wait()
    assert await running == 1


async def beginning(program: str) -> tuple[Process, int]:
    """Return a shell that runs a program in a session of its own, and the number that it prints first."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", program, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    assert process.stdout
    return process, int(await process.stdout.readline())


async def test_a_child_that_has_left_its_session_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iluvatar_pxe.gitops.repository.git.END_SECONDS", 0.1)
    process, child = await beginning("setsid sh -c 'echo $$; exec sleep 20' & wait")
    await end_group(process)
    os.kill(child, signal.SIGKILL)  # it still runs
    await process.communicate()


async def test_a_child_that_keeps_the_pipes_of_one_that_has_ended_is_killed() -> None:
    process, _ = await beginning("sleep 999 & echo $!")
    await until(lambda: process.returncode is not None)
    await end_group(process)
    assert process.stdout
    assert process.stdout.at_eof()


async def test_nothing_of_this_process_or_its_user_reaches_git(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")
    assert await repository.git.run("var", "GIT_AUTHOR_IDENT")
    assert b"Mallory" not in await repository.git.run("var", "GIT_AUTHOR_IDENT")
    assert (await repository.git.run("rev-parse", "--git-dir")).strip() == str(repository.path).encode()


@pytest.mark.parametrize(
    ("complaint", "line"),
    [
        ("warning: x\nfatal: it is so\nhint: do\n", "fatal: it is so"),
        ("remote: layers/arda.yaml:1: no\nerror: failed to push\n", "error: failed to push"),
        (
            (
                "git@forge: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\n"
                "Please make sure you have the correct access rights\nand the repository exists.\n"
            ),
            "git@forge: Permission denied (publickey)",
        ),
        ("", "ended with status 3"),
        ("odd\x1b[2J", "odd [2J"),
        ("x" * 400, "x" * 300),
    ],
)
def test_the_line_that_says_what_is_wrong(complaint: str, line: str) -> None:
    assert last_line(complaint, 3) == line
