"""The boot files that can be served: logical name to file, looked up, never built from a client's path."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import structlog

from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER, PROGRAMS
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.problem import Problem

SYSTEM_PROGRAMS = Path("/usr/lib/ipxe")
"""Where Debian's and Ubuntu's package ``ipxe`` installs its binaries."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one moment."""

    files: Mapping[str, Path] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    problem: str | None = None

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a boot file, or None when it is not there."""
        path = self.files.get(name)
        try:
            return path.stat().st_size if path else None
        except FileNotFoundError:  # gone since
            return None


class Catalogue:
    """Keeps a listing of the assets directory and the system's iPXE binaries, read in a thread."""

    def __init__(self, directory: Path, *, interval: float = 5.0) -> None:
        """``interval``: seconds between two looks at the directory."""
        self._directory = directory
        self._interval = interval
        self._listing = Listing()
        self.ready = self._listing.names
        """Logical names of what can be served."""
        self._problem = Problem(lambda text: _log.warning("assets", problem=text))

    @property
    def problem(self) -> str | None:
        """What is wrong with the assets directory, or None."""
        return self._problem.text

    def path(self, name: str) -> Path | None:
        """Return the file behind a logical name, or None."""
        return self._listing.files.get(name)

    async def open(self, name: str) -> FileSource | None:
        """Open the file behind a logical name, or return None; raises AssetError when it cannot be read."""
        path = self.path(name)
        try:
            return None if path is None else await FileSource.open(path)
        except AssetError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # gone since the last look
                return None
            raise

    async def refresh(self) -> None:
        """Look at the directory again."""
        self._listing = await asyncio.to_thread(list_assets, self._directory, SYSTEM_PROGRAMS)
        self.ready = self._listing.names
        self._problem.set(self._listing.problem)

    async def run(self) -> None:
        """Look at the directory every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.refresh()


def list_assets(directory: Path, system_programs: Path) -> Listing:
    """List the regular files below ``directory``, and the system's iPXE binaries where it has none.

    Hidden files, and links that lead out of the directory, are left out.
    """
    files = {
        f"{PROGRAM_FOLDER}/{program}": path
        for programs in PROGRAMS.values()
        for program in programs
        if (path := system_programs / program).is_file()
    }
    try:
        found, problem = _files_below(directory)
    except RecursionError:
        found, problem = {}, f"{directory}: its folders are nested too deeply; flatten them"
    files |= found
    return Listing(MappingProxyType(files), frozenset(files), problem)


def _files_below(directory: Path) -> tuple[dict[str, Path], str | None]:
    """Return what can be served, and what is wrong with the first folder that cannot be listed."""
    found: dict[str, Path] = {}
    errors: list[OSError] = []
    root = Path(os.path.realpath(directory))
    for folder, subfolders, names in os.walk(root, onerror=errors.append):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            if _is_served(path, root):
                found[path.relative_to(root).as_posix()] = path
    lasting = (error for error in errors if Path(error.filename) == root or os.path.lexists(error.filename))
    problems = [
        f"{error.filename}: {error.strerror}; make it a directory that the service can read"
        for error in lasting
    ]
    return found, next(iter(problems), None)


def _is_served(path: Path, root: Path) -> bool:
    try:
        return path.is_file() and path.resolve().is_relative_to(root)
    except OSError:  # a link into a place that is closed to the service
        return False
