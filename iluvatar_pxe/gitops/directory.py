"""A fleet that is a plain directory."""

import shutil
from pathlib import Path

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.resources import data_directory

MAX_FILE = 1 << 20
"""Octets of the largest file that is read as part of a fleet."""


def read_fleet(directory: Path) -> Fleet:
    """Read and validate the fleet in ``directory``; blocks, so call it in a thread.

    Raises FleetError.
    """
    try:
        return parse_fleet(_texts(directory))
    except FleetError as error:
        raise FleetError([f"{directory}/{finding}" for finding in error.findings]) from error


def plant_starter_fleet(directory: Path) -> bool:
    """Copy the built-in starter fleet to ``directory`` unless that exists; say whether it was done.

    Raises FleetError when it cannot be written.
    """
    if directory.exists():
        return False
    unfinished = directory.with_name(f".{directory.name}.new")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(data_directory("boot_assets") / "fleet", unfinished, copy_function=shutil.copyfile)
        unfinished.rename(directory)
    except OSError as error:
        remedy = "make the state directory writable, or name another fleet in [fleet] source"
        raise FleetError([f"{directory}: cannot be created: {error.strerror}; {remedy}"]) from error
    return True


def _texts(directory: Path) -> dict[str, str]:
    """Read every file but hidden ones; faults are collected."""
    texts: dict[str, str] = {}
    findings: list[str] = []
    if not directory.is_dir():
        raise FleetError([": is no directory; create it or correct [fleet] source"])
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if any(part.startswith(".") for part in relative.parts) or path.is_dir():
            continue
        try:
            texts[relative.as_posix()] = _text(path)
        except (OSError, ValueError) as error:
            findings.append(f"{relative.as_posix()}:1: cannot be read: {error}; correct or remove it")
    if findings:
        raise FleetError(findings)
    return texts


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"larger than {MAX_FILE} octets")
    return path.read_text(encoding="utf-8")
