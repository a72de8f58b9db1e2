"""A branch that is lost comes back where it was, and never behind what was applied last."""

from pathlib import Path

import pytest
from support.repositories import bare, git

from iluvatar_pxe.gitops.repository.bare import Changes, Repository
from iluvatar_pxe.gitops.repository.mending import mend_refs

Commits = dict[str, str]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = bare(tmp_path / "fleet.git")
    git(repository.path, "config", "core.logAllRefUpdates", "always")
    return repository


async def history(repository: Repository) -> Commits:
    """Make three commits, and lose the branch."""
    made: Commits = {}
    last = None
    for name in ("old", "applied", "new"):
        made[name] = await repository.draft(last, Changes(name, {"fleet.yaml": name.encode()}))
        await repository.advance(last, made[name])
        last = made[name]
    (repository.path / repository.ref).unlink()
    return made


def lose(repository: Repository, commit: str) -> None:
    (repository.path / "objects" / commit[:2] / commit[2:]).unlink()


def forget(repository: Repository, commit: str) -> None:
    """Take from the branch's log that it came to this commit."""
    log = repository.path / "logs" / repository.ref
    log.write_text(
        "".join(line for line in log.read_text().splitlines(keepends=True) if line.split()[1] != commit)
    )


@pytest.mark.parametrize(
    ("lost", "forgotten", "applied", "back"),
    [
        ([], [], "applied", "new"),
        (["new"], [], "applied", "applied"),
        (["new", "applied"], [], "applied", None),
        (["new", "applied"], [], None, "old"),
        ([], ["new"], "new", "new"),
        ([], ["applied", "new"], "applied", "applied"),
        (["new"], ["new"], "new", None),
    ],
)
async def test_where_a_lost_branch_comes_back(
    repository: Repository, lost: list[str], forgotten: list[str], applied: str | None, back: str | None
) -> None:
    made = await history(repository)
    for name in lost:
        lose(repository, made[name])
    for name in forgotten:
        forget(repository, made[name])
    await mend_refs(repository, made[applied] if applied else None)
    assert await repository.tip() == (made[back] if back else None)
