"""A fleet that is a plain directory."""

import os
import shutil
import stat
from pathlib import Path

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.fleet.source import is_declaration
from iluvatar_pxe.fleet.yamlfile import Findings, printable
from iluvatar_pxe.resources import data_directory

MAX_FILE = 1 << 20
"""Octets of the largest file that is read as part of a fleet."""


MOST_FINDINGS = 100
"""Faults that are told at once; who has more will see the rest next time."""


def read_fleet(directory: Path) -> Fleet:
    """Read and validate the fleet in ``directory``; blocks, so call it in a thread.

    Raises FleetError.
    """
    if trouble := _no_directory(directory):
        raise FleetError([f"{printable(str(directory))}: {trouble}"])
    try:
        texts, unreadable = _texts(directory)
    except RecursionError as error:
        raise FleetError([f"{directory}: its folders are nested too deeply; flatten them"]) from error
    try:
        fleet = parse_fleet(texts)
    except FleetError as error:
        raise FleetError(_told(directory, [*unreadable, *error.findings])) from error
    if unreadable:
        raise FleetError(_told(directory, unreadable))
    return fleet


def _no_directory(path: Path) -> str:
    """Return why a path cannot be read as a directory and what to do, or an empty string."""
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        reason = error.strerror if isinstance(error, OSError) else error
        return f"cannot be read: {reason}; correct its rights or [fleet] source"
    return "is no directory; create it or correct [fleet] source"


def _told(directory: Path, findings: list[str]) -> list[str]:
    place = printable(str(directory))
    lines = [f"{place}/{finding}" for finding in findings[:MOST_FINDINGS]]
    more = len(findings) - len(lines)
    return [*lines, f"{place}: and {more} faults more"] if more else lines


def plant_starter_fleet(directory: Path) -> bool:
    """Copy the built-in starter fleet to ``directory`` unless that exists; say whether it was done.

    Raises FleetError when it cannot be written.
    """
    unfinished = directory.with_name(f".{directory.name}.new")
    try:
        if directory.exists():
            return False
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(data_directory("boot_assets") / "fleet", unfinished, copy_function=shutil.copyfile)
        unfinished.rename(directory)
    except OSError as error:
        remedy = "make the state directory writable, with room in it, or name another fleet in [fleet] source"
        raise FleetError([f"{directory}: cannot be created: {_cause(error)}; {remedy}"]) from error
    return True


def _cause(error: OSError) -> str:
    """``shutil.Error`` has no cause of its own but a list of (from, to, cause)."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][2])
    return error.strerror or str(error)


def _texts(directory: Path) -> tuple[dict[str, str], list[str]]:
    """Return the text of every file but hidden ones, and what is wrong with those that cannot be read.

    What is no text, or large, may lie in a Git checkout beside the fleet's own files, and is passed over.
    """
    texts: dict[str, str] = {}
    findings = Findings()

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename).relative_to(directory).as_posix()
        findings.add(folder, 1, f"cannot be read: {error.strerror}; correct its rights")

    for folder, subfolders, names in os.walk(directory, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for path in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            name = path.relative_to(directory).as_posix()
            try:
                texts[name] = _text(path)
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) or is_declaration(name):
                    reason = error.strerror if isinstance(error, OSError) else error
                    findings.add(name, 1, f"cannot be read: {reason}; correct or remove it")
    return texts, findings.lines


def _text(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a regular file")
    with path.open("rb") as file:
        octets = file.read(MAX_FILE + 1)
    if len(octets) > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE} octets")
    return octets.decode("utf-8")
