"""What lies below the assets directory, links followed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from iluvatar_pxe.assets.links import Bounds, Place, allow, enter, follow
from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.errors import AssetError

MOST_FILES = 100_000
"""A link may lead to the root of a large disk."""


@dataclass(slots=True)
class Found:
    """Files by their logical names, and why others are not served: the links by their logical names, and all in one line each.

    ``folders`` are all that were looked into.
    """

    files: dict[str, ListedFile] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)


def files_below(directory: Path, state: Path | None) -> Found:
    """Find the regular files below a directory, without those that are hidden, and those of the state directory."""
    found = Found()
    try:
        root = enter(directory)
        bounds = Bounds(root.path, Path(os.path.realpath(state)) if state else None)
        bounds.check(directory, root.path)
        _search(root, PurePosixPath(), bounds, (), found)
    except AssetError as error:
        found.problems.append(str(error))
    except OSError as error:
        found.problems.append(_unreadable(directory, error))
    except RecursionError:
        found.problems.append(f"{directory}: its folders are nested too deeply; flatten them")
    if len(found.files) >= MOST_FILES:
        found.problems.append(f"{directory}: has more than {MOST_FILES} files; only so many are served")
    return found


def _search(
    folder: Place, name: PurePosixPath, bounds: Bounds, above: tuple[tuple[int, int], ...], found: Found
) -> None:
    """Take in a folder; ``above`` are the folders that it lies in, so that a link to one of them ends there."""
    own = (folder.status.st_dev, folder.status.st_ino)
    if own in above:
        return
    found.folders.add(folder.path)
    for path in _entries(folder, found):
        place = _place(path, folder, name / path.name, bounds, found)
        if place is None or len(found.files) >= MOST_FILES:
            continue
        if stat.S_ISDIR(place.status.st_mode):
            _search(place, name / path.name, bounds, (*above, own), found)
        elif stat.S_ISREG(place.status.st_mode):
            status = place.status
            listed = ListedFile(place.path, place.makers, status.st_size, status.st_mtime_ns)
            found.files[str(name / path.name)] = listed


def _entries(folder: Place, found: Found) -> Iterator[Path]:
    try:
        paths = sorted(folder.path.iterdir())
    except OSError as error:
        if os.path.lexists(folder.path):
            found.problems.append(_unreadable(folder.path, error))
        return
    yield from (path for path in paths if not path.name.startswith("."))


def _place(path: Path, folder: Place, name: PurePosixPath, bounds: Bounds, found: Found) -> Place | None:
    """Return what is at a path, or None, noted where a link is the reason, if it is not to be served."""
    try:
        status = path.lstat()
        place = (
            follow(path, bounds.root) if stat.S_ISLNK(status.st_mode) else Place(path, status, frozenset())
        )
        bounds.check(path, place.path)
        allow(folder.makers, place)
    except AssetError as error:
        found.links[str(name)] = str(error)
        found.problems.append(str(error))
        return None
    except OSError:  # gone since
        return None
    is_own = place.path.is_relative_to(bounds.root)  # everybody gets it, whichever link leads there
    return Place(place.path, place.status, frozenset() if is_own else folder.makers | place.makers)


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path}: {error.strerror}; make it a directory that the service can read"
