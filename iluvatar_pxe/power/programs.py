"""Programs of this host's owner that switch machines: they lie in one directory, which no push can write to."""

import asyncio
import os
import stat
from pathlib import Path

from iluvatar_pxe.errors import PowerError
from iluvatar_pxe.fleet.power import Program
from iluvatar_pxe.power.action import Action, one_line
from iluvatar_pxe.power.process import Ended, run


async def switch(way: Program, secret: str, action: Action, name: str, directory: Path) -> str:
    """Run it with the action, its arguments, and ``secret`` as standard input; raises PowerError.

    Returns whether the machine is ``on`` or ``off`` for STATUS.
    """
    path = directory / way.program
    await asyncio.to_thread(_check, path)
    argv = [str(path), action.value, *way.arguments]
    ended = await run(argv, data=secret.encode(), environment={"MACHINE": name})
    if ended.status:
        raise PowerError(f"{path}: {_last_line(ended, secret)}")
    return _state(path, ended) if action is Action.STATUS else ""


def _state(path: Path, ended: Ended) -> str:
    said = ended.output.strip()
    if said not in {"on", "off"}:
        raise PowerError(f"{path}: has to print on or off for status")
    return said


def _check(path: Path) -> None:
    """Refuse a program that others than the owner of this host may have written. Blocks."""
    for one, what in ((path.parent, "directory"), (path, "program")):
        try:
            found = one.stat()
        except OSError as error:
            remedy = "put it there, or correct [power] commands"
            raise PowerError(f"{one}: no such {what}: {error.strerror}; {remedy}") from error
        if found.st_uid not in {0, os.geteuid()} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PowerError(f"{one}: others may write it; run: chown root:root {one} && chmod 755 {one}")
    if not stat.S_ISREG(path.stat().st_mode) or not os.access(path, os.X_OK):
        raise PowerError(f"{path}: is no program; run: chmod 755 {path}")


def _last_line(ended: Ended, secret: str) -> str:
    lines = [line for line in ended.complaint.splitlines() if line.strip()]
    return one_line(lines[-1], *secret.split()) if lines else f"ended with status {ended.status}"
