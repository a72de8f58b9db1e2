"""The fleet that was applied last, in one file: served while its repository or directory cannot be read.

The file is a SHA-256 of the rest in hexadecimal, a newline, and a zlib stream of JSON. It is small (texts alone), and
written whole, so that a loss of power leaves the old one or the new one.
"""

import asyncio
import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import structlog
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, ValidationError

from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.repository.bare import IN_FORCE, Commit, Repository
from iluvatar_pxe.gitops.repository.revision import Revision, parse_texts, read_revision
from iluvatar_pxe.gitops.repository.tree import Tree
from iluvatar_pxe.host.durable import write_file

SUFFIX = ".applied"

_log = structlog.get_logger()


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    commit: Commit | None
    texts: Mapping[str, str]
    objects: Mapping[str, str]


class Kept(Struct, frozen=True):
    """A fleet that was applied; ``commit`` is None where it was a plain directory's."""

    fleet: Fleet
    commit: Commit | None
    texts: Mapping[str, str]
    objects: Mapping[str, str]


class KeptFile(Struct, frozen=True):
    """The file for what ``source`` tells; what it holds of another source counts as nothing. Methods block."""

    path: Path
    source: str

    @classmethod
    def of(cls, repository: Repository) -> "KeptFile":
        """Return the file beside a repository."""
        return cls(repository.path.with_suffix(SUFFIX), repository.ref)

    def write(
        self, texts: Mapping[str, str], commit: Commit | None = None, objects: Mapping[str, str] | None = None
    ) -> None:
        """Write down what is applied, unless the file says so; raises OSError."""
        told = {path: text for path, text in texts.items() if _is_utf8(path)}
        known = {path: one for path, one in (objects or {}).items() if path in told}
        document = _Document(source=self.source, commit=commit, texts=told, objects=known)
        text = json.dumps(document.model_dump(mode="json"))
        packed = zlib.compress(text.encode())
        content = _sum(packed) + packed
        if self._content() != content:
            write_file(self.path, content)

    def last(self) -> str | None:
        """Return the commit that was applied last; None where that is not known."""
        told = self._told()
        return told.commit.id if told and told.commit else None

    def read(self) -> Kept | None:
        """Return what was applied last; None where that is not known."""
        try:
            if told := self._told():
                return Kept(parse_texts(told.texts, {}), told.commit, told.texts, told.objects)
        except FleetError as error:  # another version of this program wrote it
            self._warn(str(error).partition("\n")[0])
        return None

    def _told(self) -> _Document | None:
        content = self._content()
        packed = content[len(_sum(b"")) :]
        if not content:
            return None
        if not content.startswith(_sum(packed)):
            self._warn("is damaged; it is written again")
            return None
        try:
            told = _Document.model_validate_json(zlib.decompress(packed))
            if told.source == self.source:
                return told
        except (ValidationError, zlib.error) as error:  # another version of this program wrote it
            self._warn(str(error).partition("\n")[0])
        return None

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            self._warn(f"cannot be read: {error.strerror}")
            return b""

    def _warn(self, why: str) -> None:
        _log.warning("fleet.kept", file=str(self.path), why=why)


async def last_applied(repository: Repository) -> Revision | None:
    """Return what the daemon has applied, by the file beside the repository or by its ref; None where neither tells."""
    kept = await asyncio.to_thread(KeptFile.of(repository).read)
    if kept and kept.commit:
        return Revision(kept.fleet, kept.commit, Tree(kept.commit.id, kept.texts, {}, kept.objects))
    try:
        commit = await repository.resolve(IN_FORCE)
        return await read_revision(repository, commit) if commit else None
    except (FleetError, RepositoryError) as error:
        _log.warning("fleet.last", why=str(error).partition("\n")[0])
        return None


def _is_utf8(path: str) -> bool:
    """Say whether a path is text, as all are that a fleet's file can name."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sum(packed: bytes) -> bytes:
    return hashlib.sha256(packed).hexdigest().encode() + b"\n"
