"""A fleet in a plain directory."""

import asyncio
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import structlog

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.source import is_declaration, is_read
from iluvatar_pxe.gitops.kept import KeptFile
from iluvatar_pxe.gitops.listener import Listener
from iluvatar_pxe.gitops.repository.revision import parse_texts
from iluvatar_pxe.gitops.repository.tree import MAX_FILE
from iluvatar_pxe.printable import printable
from iluvatar_pxe.problem import Problem

AGAIN_SECONDS = 10.0
"""Until what is applied is written down again, where that failed."""

_log = structlog.get_logger()


def read_fleet(directory: Path) -> Fleet:
    """Read and validate the fleet in ``directory``; blocks, raises FleetError."""
    return read_directory(directory)[0]


def read_directory(directory: Path) -> tuple[Fleet, dict[str, str]]:
    """Return the fleet in ``directory``, and the texts that it was read from; blocks, raises FleetError."""
    if trouble := _no_directory(directory):
        raise FleetError([f"{printable(str(directory))}: {trouble}"])
    try:
        texts, faults = read_texts(directory)
    except RecursionError as error:
        raise FleetError([f"{directory}: its folders are nested too deeply; flatten them"]) from error
    try:
        return parse_texts(texts, faults), texts
    except FleetError as error:
        place = printable(str(directory))
        raise FleetError([f"{place}/{finding}" for finding in error.findings]) from error


def _no_directory(path: Path) -> str:
    """Return why a path cannot be read as a directory and what to do, or an empty string."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        reason = error.strerror if isinstance(error, OSError) else error
        return f"cannot be read: {reason}; correct its permissions or [fleet] source"
    return "is not a directory; create it or correct [fleet] source"


def read_texts(directory: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the text of every file of a fleet, and by path why one that declares something cannot be read.

    What is no text, or large, may lie in a Git checkout beside the fleet's own files, and is passed over.
    """
    texts: dict[str, str] = {}
    faults: dict[str, str] = {}

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename).relative_to(directory).as_posix()
        faults[folder] = f"cannot be read: {error.strerror}; correct its permissions"

    for folder, subfolders, names in os.walk(directory, onerror=unreadable):
        inside = Path(folder).relative_to(directory)
        subfolders[:] = sorted(name for name in subfolders if is_read(f"{(inside / name).as_posix()}/"))
        for name in filter(is_read, ((inside / name).as_posix() for name in sorted(names))):
            try:
                texts[name] = _text(directory / name)
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) or is_declaration(name):
                    reason = error.strerror if isinstance(error, OSError) else error
                    faults[name] = f"cannot be read: {reason}; correct or remove it"
    return texts, faults


def _text(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        octets = file.read(MAX_FILE + 1)
    if len(octets) > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE} bytes")
    return octets.decode("utf-8")


class DirectoryFollower:
    """Follows a plain directory, which is read on request. The last valid state stays applied, over a restart too."""

    def __init__(self, directory: Path, listener: Listener, kept: KeptFile) -> None:
        self._directory = directory
        self._listener = listener
        self._changing = asyncio.Lock()
        self._kept = kept
        self._woken = asyncio.Event()
        self._texts: Mapping[str, str] = {}
        self._unnoted = Problem(lambda why: _log.error("fleet.unnoted", why=why))
        self.problem: str | None = None

    @property
    def unnoted(self) -> str | None:
        """Return why what is applied cannot be written down for the next start, or None."""
        return self._unnoted.text

    async def start(self) -> None:
        """Apply the directory, or what was applied last; raises FleetError where there is neither."""
        async with self._changing:
            try:
                await self._apply()
            except FleetError as error:
                kept = await asyncio.to_thread(self._kept.read)
                if kept is None:
                    raise
                await self._reject(error)
                await self._listener.adopt(kept.fleet, None)

    async def run(self) -> None:
        """Read it again whenever this is woken, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(AGAIN_SECONDS if self.unnoted else None):
                    await self._woken.wait()
            except TimeoutError:
                await self._keep()
            else:
                self._woken.clear()
                await self.refresh()

    def wake(self) -> None:
        """Have it read now."""
        self._woken.set()

    async def refresh(self) -> None:
        """Read it again; a faulty one changes nothing."""
        async with self._changing:
            try:
                await self._apply()
            except FleetError as error:
                await self._reject(error)
            else:
                self.problem = None

    async def _apply(self) -> None:
        fleet, texts = await asyncio.to_thread(read_directory, self._directory)
        await self._listener.adopt(fleet, None)
        self._texts = texts
        await self._keep()

    async def _keep(self) -> None:
        try:
            await asyncio.to_thread(self._kept.write, self._texts)
            self._unnoted.clear()
        except OSError as error:
            self._unnoted.set(f"{self._kept.path}: cannot be written: {error.strerror}; make it writable")

    async def _reject(self, error: FleetError) -> None:
        self.problem = error.findings[0]
        await self._listener.reject(None, error)
