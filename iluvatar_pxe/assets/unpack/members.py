"""The members of an archive: which are refused, and which file a name stands for. Pure."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from iluvatar_pxe.errors import UnpackError

_MOST_LINKS = 40
"""On the way to one file, as in the kernel (path_resolution(7))."""
_ABOVE = ".."


class Kind(StrEnum):
    """What a member is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "symbolic link"
    HARD_LINK = "hard link"


class Member(Struct, frozen=True):
    """A file, or a link to ``target``: seen from the link's own folder, or of a hard link, from the archive's root."""

    kind: Kind
    size: int = 0
    target: str = ""


def plain_name(name: str) -> str:
    """Return a member's name without ``./``; raises UnpackError if it is absolute or leads out of the archive."""
    if name.startswith("/"):
        raise UnpackError(f"has the absolute name {name!r}; use another source")
    if _ABOVE in name.split("/"):
        raise UnpackError(f"has the name {name!r}, which leads out of it; use another source")
    return "/".join(_parts(name))


def check_link(name: str, member: Member) -> None:
    """Raise UnpackError if a link leads out of the archive, as its text stands."""
    here = _parts(name)[:-1] if member.kind is Kind.LINK else []
    outside = member.target.startswith("/")
    for part in _parts(member.target):
        outside = outside or (part == _ABOVE and not here)
        here = here[:-1] if part == _ABOVE else [*here, part]
    if outside:
        raise UnpackError(f"{name!r} is a link out of it, to {member.target!r}; use another source")


def file_behind(name: str, members: Mapping[str, Member]) -> str:
    """Return the name of the file that a name stands for, links followed; raises UnpackError if there is none."""
    here: list[str] = []
    rest = deque(_parts(name))
    links = 0
    while rest:
        part = rest.popleft()
        if part == _ABOVE:
            if not here:
                raise UnpackError(f"{name!r} is a link out of it; use another source")
            here.pop()
            continue
        member = members.get("/".join([*here, part]))
        if member is None or member.kind in {Kind.FILE, Kind.FOLDER}:
            here.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise UnpackError(f"{name!r} is a link that leads to itself; use another source")
        here = here if member.kind is Kind.LINK else []
        rest.extendleft(reversed(_parts(member.target)))
    found = "/".join(here)
    if found not in members or members[found].kind is not Kind.FILE:
        raise UnpackError(
            f"has no file {name!r}; correct 'members' in the catalogue, or take another version"
        )
    return found


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in {"", "."}]
