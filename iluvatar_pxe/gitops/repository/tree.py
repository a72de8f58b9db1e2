"""Reads the fleet's files from a commit: regular files only, no links and no submodules."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, field

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.fleet.source import APPLICATIONS, is_declaration, is_read
from iluvatar_pxe.gitops.repository.git import Git

MAX_FILE = 1 << 20
"""Bytes of the largest file that is read as part of a fleet."""
MAX_TEXTS = 64 << 20
"""Bytes of all of them together."""
_UNREADABLE = "BAD"
"""What ``git ls-tree`` gives for the size of an object that it cannot read."""
_REGULAR = frozenset({"100644", "100755"})
_WHAT: Mapping[str, str] = {"120000": "a symbolic link", "160000": "a submodule"}


class Entry(NamedTuple):
    """A line of ``git ls-tree``: mode, object and size in bytes."""

    mode: str
    object_id: str
    size: int


class Tree(Struct, frozen=True):
    """The fleet's texts by path in one commit; ``faults`` by path says why a file that declares something has none."""

    commit: str
    texts: Mapping[str, str]
    faults: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)
    """By path, the object that a text was read from."""


async def read_tree(git: Git, commit: str, known: Tree | None = None) -> Tree:
    """Read a commit's files; what ``known`` has already is not read again. Raises RepositoryError."""
    listing = await git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
    entries = {path: entry for path, entry in _entries(git, listing) if is_read(path)}
    faults = {path: why for path, entry in entries.items() if (why := _unreadable(entry))}
    wanted = {path: entry for path, entry in entries.items() if path not in faults}
    if sum(entry.size for entry in wanted.values()) > MAX_TEXTS:
        raise RepositoryError(
            f"{commit[:12]}: its files exceed {MAX_TEXTS >> 20} MiB in total; move other files to {APPLICATIONS}"
        )
    octets = await _contents(git, wanted, known)
    texts = {}
    for path, content in octets.items():
        try:
            texts[path] = content if isinstance(content, str) else content.decode("utf-8")
        except UnicodeDecodeError as error:
            faults[path] = f"cannot be read: {error}; correct or remove it"
    telling = {path: why for path, why in faults.items() if is_declaration(path)}
    return Tree(commit, texts, telling, {path: entries[path].object_id for path in texts})


def _entries(git: Git, listing: bytes) -> Iterable[tuple[str, Entry]]:
    for line in listing.decode("utf-8", "surrogateescape").split("\0"):
        if line:
            told, _, path = line.partition("\t")
            mode, _, object_id, size = told.split()
            if size == _UNREADABLE:
                raise RepositoryError(f"{git.directory}: object {object_id} is missing or damaged")
            yield path, Entry(mode, object_id, 0 if size == "-" else int(size))


def _unreadable(entry: Entry) -> str:
    if entry.mode not in _REGULAR:
        return f"is {_WHAT.get(entry.mode, 'not a regular file')}, which is not followed; put the file itself here"
    if entry.size > MAX_FILE:
        return f"has {entry.size} bytes; the limit is {MAX_FILE}; make it smaller"
    return ""


async def _contents(git: Git, wanted: Mapping[str, Entry], known: Tree | None) -> dict[str, bytes | str]:
    """Return bytes, or the text that is known of the same object."""
    texts = {known.objects[path]: text for path, text in known.texts.items()} if known else {}
    missing = list(dict.fromkeys(one.object_id for one in wanted.values() if one.object_id not in texts))
    read = await _blobs(git, missing)
    return {
        path: texts.get(entry.object_id, read.get(entry.object_id, b"")) for path, entry in wanted.items()
    }


async def _blobs(git: Git, object_ids: list[str]) -> dict[str, bytes]:
    """Return the bytes of objects; raises RepositoryError where one is not there, or no file."""
    if not object_ids:
        return {}
    output = await git.run("cat-file", "--batch", data="".join(f"{one}\n" for one in object_ids).encode())
    found: dict[str, bytes] = {}
    start = 0
    for object_id in object_ids:
        end = output.index(b"\n", start)
        told = output[start:end].split()
        if len(told) != 3 or told[1] != b"blob":
            raise RepositoryError(f"{git.directory}: object {object_id} is missing or damaged")
        start = end + 1 + int(told[2]) + 1
        found[object_id] = output[end + 1 : start - 1]
    return found
