"""A fleet in a plain directory."""

import asyncio
import os
import stat
from pathlib import Path

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.source import is_declaration, is_read
from iluvatar_pxe.fleet.yaml.document import printable
from iluvatar_pxe.gitops.listener import Listener
from iluvatar_pxe.gitops.repository.revision import parse_texts
from iluvatar_pxe.gitops.repository.tree import MAX_FILE


def read_fleet(directory: Path) -> Fleet:
    """Read and validate the fleet in ``directory``; blocks, so call it in a thread.

    Raises FleetError.
    """
    if trouble := _no_directory(directory):
        raise FleetError([f"{printable(str(directory))}: {trouble}"])
    try:
        texts, faults = read_texts(directory)
    except RecursionError as error:
        raise FleetError([f"{directory}: its folders are nested too deeply; flatten them"]) from error
    try:
        return parse_texts(texts, faults)
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
    """Follows a plain directory, which is read on request."""

    def __init__(self, directory: Path, listener: Listener) -> None:
        self._directory = directory
        self._listener = listener
        self._changing = asyncio.Lock()
        self._woken = asyncio.Event()
        self.problem: str | None = None

    async def start(self) -> None:
        """Apply the directory; raises FleetError."""
        async with self._changing:
            await self._listener.adopt(await asyncio.to_thread(read_fleet, self._directory), None)

    async def run(self) -> None:
        """Read it again whenever this is woken, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self.refresh()

    def wake(self) -> None:
        """Have it read now."""
        self._woken.set()

    async def refresh(self) -> None:
        """Read it again; a faulty one changes nothing."""
        try:
            await self.start()
        except FleetError as error:
            self.problem = error.findings[0]
            await self._listener.reject(None, error)
        else:
            self.problem = None
