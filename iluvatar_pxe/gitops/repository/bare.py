"""A bare repository: which commits it has, and new ones, made of changes and put on a branch only where it still is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from msgspec import Struct, field

from iluvatar_pxe.errors import LostRaceError, RepositoryError
from iluvatar_pxe.gitops.repository.git import IDENTITY, Git, last_line

SUFFIX = ".git"
"""Ends the name of a repository's directory, and may end its name where people write it."""
IN_FORCE = "refs/iluvatar/in-force"
"""The commit that the daemon has applied, for commands that read it without the daemon."""
_COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FORMAT = "%H%x00%an%x00%cI%x00%s"


@dataclass(frozen=True, slots=True)
class Commit:
    """Who committed what, and when (ISO 8601, by the committer's clock)."""

    id: str
    author: str
    at: str
    subject: str

    @property
    def time(self) -> datetime | None:
        """When that was, in UTC; None where it is no time: who commits sets the year and the zone to any number."""
        try:
            return datetime.fromisoformat(self.at).astimezone(UTC)
        except (ValueError, OverflowError):
            return None


class Repository(Struct, frozen=True):
    """Methods raise RepositoryError."""

    git: Git
    branch: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.git.directory

    @property
    def ref(self) -> str:
        """The branch's full name."""
        return f"refs/heads/{self.branch}"

    async def resolve(self, revision: str) -> str | None:
        """Return the commit that a revision names, or None."""
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        status, output, complaint = await self.git.attempt(*arguments)
        if status not in {0, 1} and "unknown revision" not in complaint:
            raise RepositoryError(f"{self.path}: {last_line(complaint, status)}")
        found = output.decode("ascii", "replace").strip()
        return found if _COMMIT_ID.fullmatch(found) else None

    def was_used(self) -> bool:
        """Say whether the branch ever had a commit, as far as its log tells; blocks, raises OSError."""
        log = self.path / "logs" / self.ref
        return log.exists() and log.stat().st_size > 0

    async def tip(self) -> str | None:
        """Return the branch's newest commit, or None while it has none."""
        return await self.resolve(self.ref)

    async def describe(self, commit: str) -> Commit:
        """Return what a commit says of itself."""
        told = await self.git.run("log", "-1", f"--format={_FORMAT}", commit, "--")
        words = told.decode("utf-8", "replace").strip("\n").split("\0")
        return Commit(*words[:4])

    async def is_ancestor(self, old: str, new: str) -> bool:
        """Say whether ``new`` goes on from ``old``; not where ``old`` is not known any more."""
        status, _, _ = await self.git.attempt("merge-base", "--is-ancestor", old, new)
        return status == 0

    async def paths_that_held(self, text: str, commit: str) -> tuple[str, ...]:
        """Return the paths of files that have contained ``text`` in a commit or in its history."""
        told = await self.git.run(
            "log", "-z", "--format=", "--name-only", "--no-renames", f"-S{text}", commit, "--"
        )
        names = told.decode("utf-8", "replace").replace("\n", "\0").split("\0")
        return tuple(sorted({name for name in names if name}))

    async def text(self, commit: str, path: str) -> str:
        """Return what a file has in a commit; nothing where there is no such file."""
        status, output, _ = await self.git.attempt("cat-file", "blob", f"{commit}:{path}")
        return "" if status else output.decode("utf-8", "replace")

    async def draft(self, parent: str | None, changes: "Changes") -> str:
        """Make a commit on top of ``parent`` that no branch has yet, and return its id."""
        script = _fast_import(parent, changes)
        output = await self.git.run("fast-import", "--quiet", "--force", "--date-format=now", data=script)
        return output.decode("ascii").strip()

    async def advance(self, old: str | None, new: str) -> None:
        """Put the branch on ``new`` where it still is on ``old``; raises LostRaceError where it is not."""
        await self._set(self.ref, old, new)

    async def put_in_force(self, commit: str) -> None:
        """Record which commit the daemon has applied."""
        await self.git.run("update-ref", IN_FORCE, commit)

    async def _set(self, ref: str, old: str | None, new: str) -> None:
        status, _, complaint = await self.git.attempt("update-ref", ref, new, old or "0" * len(new))
        if not status:
            return
        if "cannot lock ref" in complaint and await self.resolve(ref) != old:
            raise LostRaceError(f"{self.path}: {ref} has moved")
        raise RepositoryError(f"{self.path}: git update-ref: {last_line(complaint, status)}")


class Changes(Struct, frozen=True):
    """What a commit changes: contents by path, None for a file that goes; and its message."""

    message: str
    files: Mapping[str, bytes | None] = field(default_factory=dict)


def _fast_import(parent: str | None, changes: Changes) -> bytes:
    """Return the script of ``git fast-import`` (its manual, INPUT FORMAT) that makes one commit and prints its id."""
    message = changes.message.encode("utf-8", "replace")
    draft = f"refs/iluvatar/draft-{uuid4().hex}"  # fast-import knows no commit without a branch; it takes it away again
    name, email = IDENTITY["GIT_COMMITTER_NAME"], IDENTITY["GIT_COMMITTER_EMAIL"]
    lines = [
        f"feature get-mark\ncommit {draft}\nmark :1\n".encode(),
        f"committer {name} <{email}> now\ndata {len(message)}\n".encode(),
        message,
        f"\nfrom {parent}\n".encode() if parent else b"\n",
    ]
    for path, content in changes.files.items():
        quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if content is None:
            lines.append(f"D {quoted}\n".encode())
        else:
            lines += [f"M 100644 inline {quoted}\ndata {len(content)}\n".encode(), content, b"\n"]
    return b"".join([*lines, f"\nget-mark :1\nreset {draft}\nfrom {'0' * 40}\n\ndone\n".encode()])
