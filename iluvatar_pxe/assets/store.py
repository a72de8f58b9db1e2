"""The boot files that can be served: logical name to file, looked up, never built from a client's path."""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import structlog
from msgspec import Struct, field

from iluvatar_pxe.assets.contents import faulty
from iluvatar_pxe.assets.folders import files_below
from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.boot.programs import PROGRAM_FOLDER, PROGRAMS
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.errors import AssetError, AssetNotReadyError
from iluvatar_pxe.host.directory_watch import DirectoryWatch
from iluvatar_pxe.problem import Problem, first_of

SYSTEM_PROGRAMS = Path("/usr/lib/ipxe")
"""Where Debian's and Ubuntu's package ``ipxe`` installs its binaries."""

ANYWAY_SECONDS = 30.0
"""The directory is looked at as often as this also where the kernel tells of what happens there: a disk may be mounted on it."""
SETTLE_SECONDS = 1.0
"""From what it tells to the look: whoever copies one file copies others."""

Mark = tuple[int, int]
"""A file's size, and the time of its last change in nanoseconds."""

_log = structlog.get_logger()


class Listing(Struct, frozen=True):
    """The files of one moment."""

    files: Mapping[str, ListedFile] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    packaged: frozenset[str] = frozenset()
    """Those of the system's package."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Links that are not served, by their logical names, and why."""
    folders: frozenset[Path] = frozenset()
    """Where they lie, and where others may come."""
    problems: tuple[str, ...] = ()
    """What cannot be read, links that are not followed, and boot files that certainly do not boot."""

    @property
    def problem(self) -> str | None:
        """The first of them, and how many there are."""
        return first_of(self.problems)

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a boot file, or None when it is not there."""
        file = self.files.get(name)
        try:
            return file.path.stat().st_size if file else None
        except FileNotFoundError:  # gone since
            return None


class AssetStore:
    """Keeps a listing of the assets directory and the system's iPXE binaries, read in a thread."""

    def __init__(self, directory: Path, state: Path | None = None, *, interval: float = 5.0) -> None:
        """``state``: the daemon's own directory; ``interval``: seconds between two looks where the kernel does not tell."""
        self._directory = directory
        self._state = state
        self._interval = interval
        self._listing = Listing()
        self.withheld: frozenset[str] = frozenset()
        """Files that are there, and are not served: they are not what is wanted now."""
        self.ready = self._listing.names
        """Logical names of what can be served."""
        self.links = self._listing.links
        """Links that are not served, by their logical names, and why."""
        self._may_serve: Callable[[str, Mark], bool] = lambda _name, _mark: True
        self.changed = Changed()
        """Told when other files are there, or other content in them."""
        self._problem = Problem(lambda text: _log.warning("assets", problem=text))
        self._watch = DirectoryWatch()
        self._untold = Problem(lambda why: _log.warning("assets.untold", why=why))

    @property
    def problem(self) -> str | None:
        """What is wrong with the assets directory, or None."""
        return self._problem.text

    @property
    def problems(self) -> tuple[str, ...]:
        """All that is wrong with it."""
        return self._listing.problems

    async def open(self, name: str) -> FileSource | None:
        """Open the file behind a logical name, or return None; raises AssetError when it cannot be read."""
        file = self._listing.files.get(name) if name in self.ready else None
        try:
            source = None if file is None else await FileSource.open(file)
        except AssetError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # gone since the last look
                return None
            raise
        if source and not self._may_serve(name, (source.size, source.modified)):
            await source.close()
            raise AssetNotReadyError(
                f"{name}: was changed on the disk, and is checked first; ask again later"
            )
        return source

    @property
    def listed(self) -> frozenset[str]:
        """Logical names of all that is there, also of what is not served."""
        return self._listing.names

    def guard(self, may_serve: Callable[[str, Mark], bool]) -> None:
        """Have each file that is opened judged by its size and time: it may have been changed since the last look."""
        self._may_serve = may_serve

    def is_copied(self, name: str) -> bool:
        """Say whether a file is there that is not the system's."""
        return name in self.listed and name not in self._listing.packaged

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file, or None when it is not there; blocks."""
        return self._listing.size_of(name)

    def withhold(self, names: frozenset[str]) -> None:
        """Serve all but these files from now on."""
        self.withheld = names
        self._tell_ready()

    async def refresh(self) -> None:
        """Look at the directory again."""
        before = self._listing.files
        self._listing = await asyncio.to_thread(list_assets, self._directory, SYSTEM_PROGRAMS, self._state)
        self.links = self._listing.links
        self._problem.set(self._listing.problem)
        if self._listing.files != before:
            self.changed.tell()
        self._tell_ready()

    def _tell_ready(self) -> None:
        before, self.ready = self.ready, self._listing.names - self.withheld
        if self.ready != before:
            self.changed.tell()

    async def run(self) -> None:
        """Look at the directory when something has happened there, until cancelled."""
        followed: frozenset[Path] | None = None
        while True:
            folders = self._listing.folders
            if folders == followed:
                await self._watch.news(ANYWAY_SECONDS)
                await asyncio.sleep(min(SETTLE_SECONDS, self._interval))
            else:  # what happened before they were followed is not told: look again
                followed = folders if await asyncio.to_thread(self._follow, folders) else None
            if followed is None:
                await asyncio.sleep(self._interval)
            await self.refresh()

    def _follow(self, folders: frozenset[Path]) -> bool:
        """Have the kernel tell of what happens in these folders, and say whether it does."""
        try:
            self._watch.follow(folders)
        except OSError as error:
            every = f"it is looked at every {self._interval:g} s"
            self._untold.set(f"{self._directory}: the kernel tells of no changes: {error.strerror}; {every}")
            return False
        self._untold.clear()
        return bool(folders)


def list_assets(directory: Path, system_programs: Path, state: Path | None = None) -> Listing:
    """List the regular files below ``directory``, and the system's iPXE binaries where it has none.

    Nothing else of ``state``, the daemon's own directory, is among them.
    """
    packaged = {
        f"{PROGRAM_FOLDER}/{program}": ListedFile(Path(os.path.realpath(path)))
        for programs in PROGRAMS.values()
        for program in programs
        if (path := system_programs / program).is_file()
    }
    found = files_below(directory, state)
    files = packaged | found.files
    return Listing(
        files=MappingProxyType(files),
        names=frozenset(files),
        packaged=frozenset(packaged.keys() - found.files.keys()),
        links=MappingProxyType(found.links),
        folders=_folders(found.folders, files),
        problems=(*found.problems, *faulty(files)),
    )


def _folders(looked_into: set[Path], files: Mapping[str, ListedFile]) -> frozenset[Path]:
    """Return those of the files, and those that others may come into; none where there is no directory to look into."""
    parents = {file.path.parent for file in files.values()} if looked_into else set()
    return frozenset(looked_into | parents)
