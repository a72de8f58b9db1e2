"""The hidden folders of the assets directory: beginnings of downloads, and files that were set aside. Blocks."""

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from iluvatar_pxe.assets.index import ASIDE, remove_empty
from iluvatar_pxe.errors import AssetError

COMING = ".coming"
"""The folder, beside a file's place, with a folder of each file's name in which that is downloaded.

It is hidden, so nothing in it is served; and no name of another file leads there.
"""


def staging(path: Path) -> Path:
    """Return where a file is downloaded to whose place is ``path``, on the same disk."""
    return path.parent / COMING / path.name / path.name


def beginnings(directory: Path) -> dict[str, int]:
    """Return the bytes of each download that has begun, by its name."""
    sizes = {name: sum(_sizes(staging(directory / name).parent).values()) for name in _names(directory)}
    return {name: size for name, size in sizes.items() if size}


def keep_beginnings(directory: Path, names: Collection[str]) -> None:
    """Remove the beginnings of all downloads but these, and the folders that are empty then."""
    for name in _names(directory).difference(names):
        with suppress(AssetError):  # the next time
            remove_beginning(directory, name)
    used = {_coming(directory / name) for name in names}
    for folder in _folders(directory) - used:  # in others, a download may be about to begin
        remove_empty(folder, directory)


def remove_beginning(directory: Path, name: str) -> None:
    """Remove what there is of a download that has begun; raises AssetError."""
    _remove(staging(directory / name).parent)


def set_aside(directory: Path) -> dict[str, int]:
    """Return the bytes of each file that was set aside, by the name that it had."""
    return {
        str(path.relative_to(directory / ASIDE)): size for path, size in _sizes(directory / ASIDE).items()
    }


def remove_aside(directory: Path, name: str) -> None:
    """Remove a file that was set aside; raises AssetError."""
    path = directory / ASIDE / name
    _remove(path)
    remove_empty(path.parent, directory)


def _coming(path: Path) -> Path:
    return staging(path).parent.parent


def _folders(directory: Path) -> set[Path]:
    return {Path(place) for place, _, _ in os.walk(directory) if Path(place).name == COMING}


def _names(directory: Path) -> set[str]:
    """Return the names of all downloads that have a folder of theirs."""
    return {
        str((folder.parent / one.name).relative_to(directory))
        for folder in _folders(directory)
        for one in folder.iterdir()
    }


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        place = error.filename or path
        raise AssetError(f"{place}: cannot be removed: {error.strerror}; make it writable") from error


def _sizes(folder: Path) -> dict[Path, int]:
    """Return the bytes of the files below a folder; what is gone meanwhile is none of them."""
    sizes: dict[Path, int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                sizes[Path(place, name)] = Path(place, name).lstat().st_size
    return sizes
