"""Opens the files of a stick, and copies them to where the daemon can read them."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from msgspec import Struct

from iluvatar_pxe.assets.download.sums import LARGEST_LIST
from iluvatar_pxe.assets.opening import ListedFile, open_listed
from iluvatar_pxe.assets.space import FULL, lacking, missing, no_space
from iluvatar_pxe.assets.unpack.beginning import bytes_unpacked
from iluvatar_pxe.catalogue.download import Unpack
from iluvatar_pxe.cli.assets.matching import Found, Refuse, Seen
from iluvatar_pxe.errors import AssetError, OperationError

_CHUNK = 1 << 20
_MOST_LISTED = LARGEST_LIST + 1
"""Bytes that are copied of a list: more than it may have, so that one that is too large is told by its copy."""


def files_below(paths: Iterable[Path], refuse: Refuse) -> Iterator[Seen]:
    """Return files, and those below directories that are not hidden, at paths without links.

    A link to a directory is followed only where it was given itself; one to a file is returned, and then not opened.
    """

    def unread(error: OSError) -> None:
        refuse(fault_of(error))

    for path in paths:
        try:
            if not path.is_dir():
                yield Seen(_without_links(path), is_given=True)
                continue
        except OSError as error:
            unread(error)
            continue
        for folder, folders, files in os.walk(path.resolve(), onerror=unread):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            yield from (Seen(Path(folder, one)) for one in sorted(files) if not one.startswith("."))


def fault_of(error: OSError) -> str:
    """Say in one line what cannot be read."""
    return f"{error.filename}: {error.strerror}; correct the path, or make it readable"


def _without_links(path: Path) -> Path:
    """Return where a file is, or the link that is in its place; raises OSError."""
    path.lstat()
    return path.parent.resolve() / path.name


class Opened(Struct, frozen=True):
    """An open file of a stick, and those that check it by their names: who copies them may not be able to open them."""

    name: str
    path: Path
    """Where it is on the stick."""
    file: BinaryIO
    size: int
    unpack: Unpack
    others: Mapping[str, BinaryIO]

    @classmethod
    def of(cls, found: Found, files: ExitStack) -> Self:
        """Open a file, for as long as ``files`` is open; raises OSError, OperationError and AssetError."""
        file, size = _open(found.path, files)
        if found.path.name in found.beside:
            raise OperationError(
                f"{found.path}: the publisher's list has the same name; import it where the internet is: "
                "iluvatar-pxe assets fetch"
            )
        others: dict[str, BinaryIO] = {}
        for name in found.beside:
            with suppress(FileNotFoundError):
                others[name], _ = _open(found.path.with_name(name), files)
        return cls(found.name, found.path, file, size, found.unpack, others)

    @property
    def needs(self) -> int:
        """Bytes of its copy, and of those of what checks it."""
        beside = (os.fstat(file.fileno()).st_size for file in self.others.values())
        return self.size + sum(min(size, _MOST_LISTED) for size in beside)


def _open(path: Path, files: ExitStack) -> tuple[BinaryIO, int]:
    """Open a regular file, never what a link leads to: root gives the command, and what it imports is served."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OperationError(
            f"{path}: is not a regular file; links are not followed: put the file itself there"
        )
    file, status = open_listed(ListedFile(path))
    return files.enter_context(file), status.st_size


def copy(opened: Opened, folder: Path, report: Callable[[int], None]) -> Path:
    """Copy a file, and what checks it, into a folder of their own; blocks, raises AssetError. ``report`` hears the bytes."""
    try:
        _check_room(opened, folder)
        with _own_folder(folder) as place:
            return _copied(opened, place, report)
    except OSError as error:
        if error.errno in FULL:
            lacks = lacking(opened.needs, shutil.disk_usage(folder).free)
            raise AssetError(f"{opened.name}: {no_space(folder, lacks)}") from error
        raise AssetError(
            f"{opened.name}: cannot be copied to {folder}: {error.strerror}; try another stick or disk"
        ) from error


def _check_room(opened: Opened, folder: Path) -> None:
    unpacked = bytes_unpacked(opened.unpack, opened.file)
    if lacks := missing(opened.needs + unpacked, shutil.disk_usage(folder).free):
        raise AssetError(f"{opened.name}: {no_space(folder, lacks, unpacks=unpacked > 0)}")


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """Make a folder, which stays only if nothing fails."""
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        yield place
    except (OSError, AssetError):
        shutil.rmtree(place)
        raise


def _copied(opened: Opened, place: Path, report: Callable[[int], None]) -> Path:
    path, copied = place / opened.path.name, 0
    for name, file in opened.others.items():
        (place / name).write_bytes(file.read(_MOST_LISTED))
    with path.open("xb") as copy:  # buffered: a write without buffer may write less, and raises nothing
        while chunk := opened.file.read(_CHUNK):
            copied += copy.write(chunk)
            report(copied)
    if copied != opened.size:
        raise AssetError(f"{opened.name}: {opened.path} was changed while it was copied; import it again")
    return path
