"""Real bare repositories, and a person with a clone of one."""

import math
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.repository.bare import Commit, Repository
from iluvatar_pxe.gitops.repository.git import Git

PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}


def git(
    directory: Path,
    *arguments: str,
    check: bool = True,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run the real git as a person does, and return what it prints, on both outputs."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env={**os.environ, **PERSON, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


def bare(directory: Path) -> Repository:
    """Make an empty repository with the branch main."""
    git(directory.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(directory))
    return Repository(Git(directory), "main")


class Person:
    """Somebody with a clone."""

    def __init__(
        self, directory: Path, url: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.directory = directory
        self._environment = environment
        git(directory.parent, "clone", "--quiet", url, str(directory), environment=environment)

    def git(self, *arguments: str, check: bool = True) -> str:
        return git(self.directory, *arguments, check=check, environment=self._environment)

    def commit(self, files: Mapping[str, str | None], message: str = "A change") -> str:
        """Commit files, None for one that goes; return the commit."""
        for name, text in files.items():
            path = self.directory / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *arguments: str, check: bool = True) -> str:
        """Push the branch, and return what the terminal shows."""
        return self.git("push", *(arguments or ("origin", "HEAD:main")), check=check)

    def pull(self) -> None:
        self.git("pull", "--quiet", "--rebase", "origin", "main")


class Listener:
    """A listener that remembers what it was told."""

    def __init__(self) -> None:
        self.adopted: list[tuple[Fleet, Commit | None, bool]] = []
        self.rejected: list[tuple[Commit | None, FleetError]] = []
        self.most_age = math.inf
        """Of the one that was adopted last."""

    async def adopt(
        self, fleet: Fleet, commit: Commit | None, *, rewritten: bool = False, most_age: float = math.inf
    ) -> None:
        self.adopted.append((fleet, commit, rewritten))
        self.most_age = most_age

    async def reject(self, commit: Commit | None, error: FleetError) -> None:
        self.rejected.append((commit, error))
