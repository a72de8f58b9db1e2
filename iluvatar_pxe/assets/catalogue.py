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

SYSTEM_PROGRAMS = Path("/usr/lib/ipxe")
"""Where Debian's and Ubuntu's package ``ipxe`` puts its programs."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one moment."""

    files: Mapping[str, Path] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    problem: str | None = None


class Catalogue:
    """Keeps a listing of the assets directory and the system's iPXE programs, read in a thread."""

    def __init__(self, directory: Path, *, interval: float = 5.0) -> None:
        """``interval``: seconds between two looks at the directory."""
        self._directory = directory
        self._interval = interval
        self._listing = Listing()

    @property
    def ready(self) -> frozenset[str]:
        """Logical names of what can be served."""
        return self._listing.names

    @property
    def problem(self) -> str | None:
        """What is wrong with the assets directory, or None."""
        return self._listing.problem

    def path(self, name: str) -> Path | None:
        """Return the file behind a logical name, or None."""
        return self._listing.files.get(name)

    async def open(self, name: str) -> FileSource | None:
        """Open the file behind a logical name, or return None; raises AssetError when it cannot be read."""
        path = self.path(name)
        return None if path is None else await FileSource.open(path)

    async def refresh(self) -> None:
        """Look at the directory again."""
        listing = await asyncio.to_thread(list_assets, self._directory, SYSTEM_PROGRAMS)
        if listing.problem and listing.problem != self._listing.problem:
            _log.warning("assets", problem=listing.problem)
        self._listing = listing

    async def run(self) -> None:
        """Look at the directory every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.refresh()


def list_assets(directory: Path, system_programs: Path) -> Listing:
    """List the regular files below ``directory``, and the system's iPXE programs where it has none.

    Hidden files, and links that lead out of the directory, are left out.
    """
    files = {
        f"{PROGRAM_FOLDER}/{program}": path
        for programs in PROGRAMS.values()
        for program in programs
        if (path := system_programs / program).is_file()
    }
    problem = None
    try:
        root = directory.resolve(strict=True)
        files |= _files_below(root)
    except OSError as error:
        problem = f"{directory}: {error.strerror}; create it, readable for the service"
    return Listing(MappingProxyType(files), frozenset(files), problem)


def _files_below(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file() and path.resolve().is_relative_to(root):
                found[path.relative_to(root).as_posix()] = path
    return found
