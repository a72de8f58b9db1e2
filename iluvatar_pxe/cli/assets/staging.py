"""Copies files to where the daemon can read them: a hidden folder of the assets directory, which is not served."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from iluvatar_pxe.cli.assets.matching import Found
from iluvatar_pxe.cli.tables import amount
from iluvatar_pxe.errors import AssetError, ControlError

_FOLDER = ".import"
_CHUNK = 1 << 20


def files_below(paths: Iterable[Path]) -> Iterator[Path]:
    """Return files, and those below directories that are not hidden; raises OSError."""
    for path in paths:
        if not path.is_dir():
            path.stat()
            yield path
            continue
        for folder, folders, files in os.walk(path, onerror=_refuse):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            yield from (Path(folder, one) for one in sorted(files) if not one.startswith("."))


def _refuse(error: OSError) -> None:
    raise error


@dataclass(frozen=True)
class Opened:
    """An open file of a stick, and those that check it by their names: who copies them may not be able to open them."""

    name: str
    file: BinaryIO
    size: int
    others: Mapping[str, BinaryIO]

    @classmethod
    def of(cls, found: Found, files: ExitStack) -> Self:
        """Open a file, for as long as ``files`` is open; raises OSError."""
        file = files.enter_context(found.path.open("rb"))
        others = {}
        for name in found.beside:
            with suppress(FileNotFoundError):
                others[name] = files.enter_context(found.path.with_name(name).open("rb"))
        return cls(found.name, file, os.fstat(file.fileno()).st_size, others)


@contextmanager
def staging(assets: Path) -> Iterator[Path]:
    """Make the folder that files are copied to, and empty it in the end; raises ControlError beside another import."""
    folder = assets / _FOLDER
    folder.mkdir(mode=0o750, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _lock(lock, folder)
        _empty(folder)
        try:
            yield folder
        finally:
            _empty(folder)
    finally:
        os.close(lock)


def copy(opened: Opened, folder: Path, report: Callable[[int], None]) -> Path:
    """Copy a file, and what checks it, into a folder of their own; blocks, raises AssetError. ``report`` hears the bytes."""
    free = shutil.disk_usage(folder).free
    if opened.size > free:
        lacking = f"{amount(opened.size - free)} more than the {amount(free)} that are free"
        raise AssetError(f"{folder}: {opened.name} needs {lacking}; iluvatar-pxe assets gc shows what can go")
    place = Path(tempfile.mkdtemp(dir=folder))
    for name, file in opened.others.items():
        with (place / name).open("xb") as copy:
            shutil.copyfileobj(file, copy)
    path = place / Path(opened.name).name
    with path.open("xb") as copy:
        while chunk := opened.file.read(_CHUNK):
            copy.write(chunk)
            report(copy.tell())
    return path


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ControlError(f"{folder}: another import runs; wait for its end") from error


def _empty(folder: Path) -> None:
    for left in folder.iterdir():
        shutil.rmtree(left)
