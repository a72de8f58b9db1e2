"""Mends a bare repository that a loss of power has damaged.

A file that is no HEAD, configuration or ref any more is replaced, and a lost ref is read from its log (gitrevisions(7)).
Lost objects come from a repository that has them, in a pack of their own: git prefers what is packed.
"""

import asyncio
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.gitops.repository.bare import Repository
from iluvatar_pxe.gitops.repository.drafts import draft_beside
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.remote import NETWORK_SECONDS, Remote
from iluvatar_pxe.gitops.repository.tree import read_tree
from iluvatar_pxe.host.durable import move_aside, put_in_place, write_file
from iluvatar_pxe.host.threads import handed, to_the_end

_OBJECT = rb"[0-9a-f]{40}|[0-9a-f]{64}"
_REF = re.compile(rb"(?:" + _OBJECT + rb"|ref: refs/[^\0\n]+)\n?")
_PACKED = re.compile(rb"#.*|\^(?:" + _OBJECT + rb")|(?:" + _OBJECT + rb") refs/[^\0\n]+")
_LOGGED = re.compile(rb"^(?:" + _OBJECT + rb") (" + _OBJECT + rb") ", re.MULTILINE)

_log = structlog.get_logger()


async def mend_layout(path: Path, branch: str) -> None:
    """Make git take for a repository what was one, though refs may be lost; raises OSError and RepositoryError."""
    if not await asyncio.to_thread((path / "objects").is_dir):
        return
    head, config = path / "HEAD", path / "config"
    if not _REF.fullmatch(await asyncio.to_thread(_content, head)):
        await asyncio.to_thread(write_file, head, f"ref: refs/heads/{branch}\n".encode(), 0o644)
        _mended(head)
    status, _, _ = await Git(path.parent).attempt("config", "--file", str(config), "--list")
    if status or not await asyncio.to_thread(_content, config):
        if await asyncio.to_thread(config.exists):
            await asyncio.to_thread(move_aside, config)
        await Git(path).run("init", "--quiet", "--bare", "--template=")
        _mended(config)
    await asyncio.to_thread(_drop_broken, path)


async def mend_refs(repository: Repository, applied: str | None) -> None:
    """Restore refs that are lost; ``applied`` is the commit that was applied last.

    The branch never goes back behind that. Raises OSError and RepositoryError.
    """
    logs = repository.path / "logs"
    for log in await asyncio.to_thread(lambda: sorted(logs.glob("refs/heads/**/*"))):
        ref = log.relative_to(logs).as_posix()
        if log.is_file() and not await asyncio.to_thread(_is_named, repository, ref):
            commits = await asyncio.to_thread(_logged, log)
            await _restore(repository, ref, _since(commits, applied if ref == repository.ref else None))
    if not await asyncio.to_thread(_is_named, repository, repository.ref):
        await _restore(repository, repository.ref, [applied] if applied else [])


async def mend_objects(
    repository: Repository, remote: Remote | None, texts: Mapping[str, str], applied: str | None
) -> None:
    """Fetch everything from ``remote`` again, and write ``texts``, which were read from here, once more.

    A branch that is lost becomes the remote's, unless that is older than what was applied last. Raises OSError and
    RepositoryError.
    """
    draft = await handed(partial(draft_beside, repository.path), Path.rmdir)
    try:
        copy = Repository(Git(draft), repository.branch)
        await copy.git.run("init", "--quiet", "--bare", "--template=")
        for key, limit in (("fastimport", "0"), ("fetch", "1")):  # all objects in packs, however few
            await copy.git.run("config", f"{key}.unpackLimit", limit)
        await copy.git.run("fast-import", "--quiet", data=_blobs(texts.values()))
        await to_the_end(_take_packs, draft, repository.path)  # also if nobody answers now
        if remote:
            refspecs = [f"+refs/{kind}/*:refs/{kind}/*" for kind in ("heads", "tags")]
            await remote.git(draft).run("fetch", "--quiet", remote.url, *refspecs, seconds=NETWORK_SECONDS)
        await to_the_end(_take_packs, draft, repository.path)
        await repository.git.run("prune-packed", "--quiet")  # the damaged ones among them
        tip = await copy.tip()
        is_lost = not await asyncio.to_thread(_is_named, repository, repository.ref)
        if tip and is_lost and (applied is None or await repository.is_ancestor(applied, tip)):
            await _restore(repository, repository.ref, [tip])
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)


async def is_whole(repository: Repository) -> bool:
    """Say whether the branch's newest commit can be read."""
    try:
        tip = await repository.tip()
        return tip is not None and bool(await read_tree(repository.git, tip))
    except RepositoryError:
        return False


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _drop_broken(path: Path) -> None:
    """Remove files that should hold a ref and do not; of ``packed-refs`` keep the lines that are whole."""
    for ref in (path / "refs").glob("**/*"):
        if ref.is_file() and ref.suffix != ".lock" and not _REF.fullmatch(ref.read_bytes()):
            ref.unlink()
            _mended(ref)
    packed = path / "packed-refs"
    lines = _content(packed).splitlines()
    whole = [line for line in lines if _PACKED.fullmatch(line)]
    if whole != lines:
        move_aside(packed)
        write_file(packed, b"".join(line + b"\n" for line in whole), 0o644)
        _mended(packed)


def _is_named(repository: Repository, ref: str) -> bool:
    """Say whether there is such a ref, whatever has become of its commit."""
    name = ref.encode()
    lines = _content(repository.path / "packed-refs").splitlines()
    return (repository.path / ref).is_file() or any(line.endswith(b" " + name) for line in lines)


def _logged(log: Path) -> list[str]:
    """Return the commits that a ref was on, the newest first."""
    return [found.decode() for found in reversed(_LOGGED.findall(log.read_bytes()))]


def _since(commits: list[str], applied: str | None) -> list[str]:
    """Return those that are not older than what was applied last, which a damaged log may have lost."""
    if applied is None:
        return commits
    return commits[: commits.index(applied) + 1] if applied in commits else [applied]


async def _restore(repository: Repository, ref: str, commits: Iterable[str]) -> None:
    """Put a ref that is not there on the first of these commits that can be read."""
    for commit in commits:
        try:
            await read_tree(repository.git, commit)
        except RepositoryError:
            continue
        await repository.git.run("update-ref", ref, commit)
        _log.warning("fleet.mended", file=str(repository.path / ref), commit=commit[:12])
        return


def _blobs(texts: Iterable[str]) -> bytes:
    return b"".join(_blob(text.encode()) for text in texts)


def _blob(content: bytes) -> bytes:
    return b"blob\ndata %d\n%b\n" % (len(content), content)


def _take_packs(draft: Path, path: Path) -> None:
    """Move packs from one repository to another; the index comes last, by which git knows of a pack."""
    for index in (draft / "objects" / "pack").glob("*.idx"):
        for file in _files_of(index):
            put_in_place(file, path / "objects" / "pack" / file.name)


def _files_of(index: Path) -> Iterator[Path]:
    yield from (file for file in index.parent.glob(f"{index.stem}.*") if file != index)
    yield index


def _mended(file: Path) -> None:
    _log.warning("fleet.mended", file=str(file), why="it was damaged")
