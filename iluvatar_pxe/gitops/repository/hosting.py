"""Bare repositories on this host: created once, configured at every start."""

import asyncio
import errno
import re
import shlex
import shutil
import sys
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path

from iluvatar_pxe.errors import RepositoryError, UsageError
from iluvatar_pxe.gitops import pre_receive
from iluvatar_pxe.gitops.hook import ASK_FACTORY
from iluvatar_pxe.gitops.repository.bare import SUFFIX, Repository
from iluvatar_pxe.gitops.repository.drafts import draft_beside, remove_leftovers
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.mending import mend_layout
from iluvatar_pxe.gitops.repository.stale_locks import remove_stale_locks
from iluvatar_pxe.host.durable import put_directory_in_place, write_file
from iluvatar_pxe.host.owner import make_directory
from iluvatar_pxe.host.threads import handed, to_the_end

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}(?<!\.git)")
"""What a repository may be called: never a hidden file, and nothing that leads anywhere else."""
CHECK_SECONDS = 60
"""How long the check of a push may take."""

_QUARANTINES = ("tmp_objdir-*", "incoming-*")
"""What receive-pack calls the place for the objects of a push, since git 2.35 and before."""
_CONFIGURATION = "iluvatar-pxe.config"
_CONFIGURATION_TEXT = """\
# Written by iluvatar-pxe at every start. Settings below the [include] in "config" override these.
[core]
	fsync = all
	# A ref that a loss of power has damaged is read from its log.
	logAllRefUpdates = true
	# An object is what its name says, also to clones, which fetch no refs/replace.
	useReplaceRefs = false
	# Larger files are not held in memory, and no deltas are made of them.
	bigFileThreshold = 4m
	packedGitLimit = 64m
	packedGitWindowSize = 16m
	deltaBaseCacheLimit = 32m
[pack]
	threads = 1
	windowMemory = 64m
[http]
	receivepack = true
	getanyfile = false
[transfer]
	hideRefs = refs/iluvatar
[receive]
	fsckObjects = true
	denyNonFastForwards = true
	denyDeletes = true
	# Keep packs packed, so that a push takes no more disk space than was sent.
	unpackLimit = 1
	maxInputSize = {max_push}m
	# Keep slow checks from timing out at the client.
	keepAlive = 2
[uploadpack]
	# Partial clones. What they fetch later needs no allowAnySHA1InWant: by protocol version 2 any object may be named.
	allowFilter = true
"""
_HOOK = """\
#!/bin/sh
# Written by iluvatar-pxe at every start: what is pushed is checked as `iluvatar-pxe fleet validate` does it.
timeout --foreground --kill-after=5 {seconds} {python} -P -S {program} {arguments}
status=$?
# 124 and 137 are timeout(1)'s
case $status in 124 | 137) echo "the check did not end within {seconds} s; push rejected" >&2 ;; esac
exit $status
"""


def repository_path(directory: Path, name: str) -> Path:
    """Return where the repository of that name lies, whether there is one or not; raises UsageError."""
    name = name.removesuffix(SUFFIX)
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a repository name; use up to 63 of a-z, 0-9, '.', '_' and '-'")
    return directory / f"{name}{SUFFIX}"


def hosted_names(directory: Path) -> list[str]:
    """Return the names of all repositories in a directory; raises RepositoryError."""
    try:
        found = sorted(path.name for path in directory.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RepositoryError(f"{directory}: cannot be read: {error.strerror}; try it with sudo") from error
    names = (name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX))
    return [name for name in names if NAME.fullmatch(name)]


async def host(
    path: Path, branch: str, *, checked: bool, max_push: int, ask_factory: bool = False
) -> Repository:
    """Make a bare repository where there is none, for the owner of the directory above, and configure it anew.

    ``branch`` is what a clone checks out. Where that is the fleet (``checked``), pushes to it are validated, with
    ``ask_factory`` also by what Image Factory has. No push is larger than ``max_push`` MiB. Half a repository is never seen, whenever this is killed. Raises RepositoryError.
    """
    traits = _Traits(branch, checked=checked, max_push=max_push, ask_factory=ask_factory)
    try:
        await asyncio.to_thread(remove_leftovers, path.parent, f".{path.name}-*")
        if await asyncio.to_thread(_is_there, path):
            await mend_layout(path, branch)
            await _configure(path, traits)
        else:
            await _make(path, traits)
    except OSError as error:
        where = error.filename or path
        raise RepositoryError(
            f"{where}: cannot be written: {error.strerror}; correct its permissions, or try it with sudo"
        ) from error
    return Repository(Git(path), branch)


@dataclass(frozen=True, slots=True)
class _Traits:
    """What a repository is configured for."""

    branch: str
    _: KW_ONLY
    checked: bool
    max_push: int
    ask_factory: bool

    @property
    def hook(self) -> str:
        """The text of the hook."""
        arguments = [self.branch, *([ASK_FACTORY] if self.ask_factory else [])]
        return _HOOK.format(
            seconds=CHECK_SECONDS,
            python=shlex.quote(sys.executable),
            program=shlex.quote(pre_receive.__file__),
            arguments=shlex.join(arguments),
        )


def _is_there(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())


async def _make(path: Path, traits: _Traits) -> None:
    draft = await handed(partial(_draft, path), Path.rmdir)
    try:
        await Git(draft).run("init", "--quiet", "--bare", "--template=")
        await _configure(draft, traits)
        await to_the_end(_put_in_place, draft, path)
    finally:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)


def _draft(path: Path) -> Path:
    """Return a new directory beside ``path``, whose directory is made where there is none."""
    path.parent.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    make_directory(path.parent)
    return draft_beside(path)


def _put_in_place(draft: Path, path: Path) -> None:
    try:
        put_directory_in_place(draft, path)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:  # somebody else has made it meanwhile
            raise


async def _configure(path: Path, traits: _Traits) -> None:
    if await asyncio.to_thread(
        (path / "objects").is_dir
    ):  # before git reads what a loss of power has left of it
        await asyncio.to_thread(_write, path, traits)
    repository = Repository(Git(path), traits.branch)
    if not await asyncio.to_thread(_says, path / "HEAD", f"ref: {repository.ref}\n"):
        await repository.git.run("symbolic-ref", "HEAD", repository.ref)
    if _CONFIGURATION not in await _asked(repository.git, "config", "--get-all", "include.path"):
        await repository.git.run("config", "--add", "include.path", _CONFIGURATION)


async def _asked(git: Git, *arguments: str) -> list[str]:
    """Return the lines that a question is answered with, none where there is no answer."""
    _, output, _ = await git.attempt(*arguments)
    return output.decode("utf-8", "replace").splitlines()


def _write(path: Path, traits: _Traits) -> None:
    configuration = _CONFIGURATION_TEXT.format(max_push=traits.max_push)
    _keep(path / _CONFIGURATION, configuration, 0o644)
    if traits.checked:
        make_directory(path / "hooks", 0o755)
        _keep(path / "hooks" / "pre-receive", traits.hook, 0o755)
    remove_stale_locks(path, 10.0)  # as long as a git lives on that a daemon left behind
    for pattern in _QUARANTINES:
        remove_leftovers(path / "objects", pattern)


def _keep(path: Path, text: str, mode: int) -> None:
    """Write a file that is not so already: a start with a full disk is one, too."""
    if not _says(path, text) or path.stat().st_mode & 0o777 != mode:
        write_file(path, text.encode(), mode)


def _says(path: Path, text: str) -> bool:
    """Say whether a file holds this text."""
    try:
        return path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False
