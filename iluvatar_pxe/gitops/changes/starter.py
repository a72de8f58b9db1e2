"""A fleet to begin with: the built-in starter, or what a plain directory holds."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.schemas import schemas
from iluvatar_pxe.fleet.source import is_declaration
from iluvatar_pxe.fleet.yaml.document import printable
from iluvatar_pxe.resources import data_directory

MAX_OCTETS = 64 << 20
"""Of all files of a directory that is put into a repository."""
_GIT = ".git"


def starter_files() -> dict[str, bytes]:
    """Return the starter fleet by path, hidden files and the schemas for editors among them.

    Raises FleetError where the installation is damaged.
    """
    directory = data_directory("boot_assets") / "fleet"
    files: dict[str, bytes] = {}
    for path in sorted(path for path in directory.rglob("*") if not path.is_dir()):
        try:
            files[path.relative_to(directory).as_posix()] = path.read_bytes()
        except OSError as error:
            raise _fault(path, f"cannot be read: {error.strerror}; install iluvatar-pxe again") from error
    return files | {f"schemas/{name}": text.encode() for name, text in schemas().items()}


def plant_starter_fleet(directory: Path) -> bool:
    """Write the starter fleet to ``directory`` unless that exists; say whether it was done.

    Raises FleetError when it cannot be written.
    """
    unfinished = directory.with_name(f".{directory.name}.new")
    try:
        if directory.exists():
            return False
        shutil.rmtree(unfinished, ignore_errors=True)
        for name, content in starter_files().items():
            path = unfinished / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        unfinished.rename(directory)
    except OSError as error:
        remedy = "make the state directory writable, with room in it, or name another fleet in [fleet] source"
        raise FleetError([f"{directory}: cannot be created: {error.strerror}; {remedy}"]) from error
    return True


def directory_files(directory: Path) -> dict[str, bytes]:
    """Return the files of a plain directory by path, hidden ones too, to put them into a repository.

    Git's own are left out, and so is what is no regular file: links are not followed. Raises FleetError when something
    cannot be read, a link or device stands in place of a file that declares something, or there is too much.
    """
    files: dict[str, bytes] = {}
    room = MAX_OCTETS
    try:
        for name, path in _paths(directory):
            try:
                content = _content(path, name, room)
            except OSError as error:
                raise _fault(path, f"cannot be read: {error.strerror}; correct or remove it") from error
            if content is not None:
                files[name] = content
                room -= len(content)
    except RecursionError as error:
        raise _fault(directory, "its folders are nested too deeply; flatten them") from error
    return files


def _paths(directory: Path) -> Iterator[tuple[str, Path]]:
    """Return everything that is no folder, and its path in the fleet."""

    def unreadable(error: OSError) -> None:
        raise _fault(Path(error.filename), f"cannot be read: {error.strerror}; correct its rights") from error

    for folder, subfolders, names in os.walk(directory, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if name.lower() != _GIT)
        for path in (Path(folder, name) for name in sorted(names) if name.lower() != _GIT):
            yield path.relative_to(directory).as_posix(), path


def _content(path: Path, name: str, room: int) -> bytes | None:
    """Return what a regular file holds, None for what is no such file; raises OSError and FleetError."""
    if not name.isprintable():
        raise _fault(path, "its name holds what cannot be printed; rename it")
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        if is_declaration(name):
            raise _fault(path, "is no regular file, and links are not followed; put the file itself here")
        return None
    if status.st_size > room:
        most = f"{MAX_OCTETS >> 20} MiB"
        raise _fault(path, f"with it the fleet has more than {most}; move what is no fleet elsewhere")
    with open(path, "rb", opener=_open) as file:
        return file.read()


def _open(path: str, flags: int) -> int:
    """What became a link or a pipe since it was looked at is neither followed nor waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _fault(path: Path, text: str) -> FleetError:
    return FleetError([f"{printable(str(path))}: {text}"])
