"""FAT file systems inside an image, written by mtools: that needs neither root nor a loop device."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from iluvatar_pxe.errors import SeedCardError

_HEADS, _SECTORS = 64, 32
"""mformat wants a geometry; nobody uses it."""
_SECONDS = 900.0


def make_fat32(image: Path, offset: int, sectors: int, label: str) -> None:
    """Make an empty FAT32 file system of so many sectors at an offset in bytes; raises SeedCardError."""
    geometry = ("-T", str(sectors), "-h", str(_HEADS), "-s", str(_SECTORS))
    _run("mformat", image, offset, ["-F", "-v", label, *geometry, "::"])


def copy_in(image: Path, offset: int, sources: Sequence[Path]) -> None:
    """Copy files, and directories with what is in them, into the root of the FAT file system at an offset.

    Files of the same names are replaced. Raises SeedCardError.
    """
    _run("mcopy", image, offset, ["-s", "-o", "-Q", *map(str, sources), "::/"])


def read(image: Path, offset: int, name: str) -> str:
    """Return a text file of the root of a FAT file system; raises SeedCardError."""
    done = _ended("mtype", image, offset, [f"::/{name}"])
    if done.returncode:
        raise SeedCardError(f"has no {name} on its boot partition; use the publisher's image")
    return done.stdout


def has(image: Path, offset: int, name: str) -> bool:
    """Say whether the root of a FAT file system has a file or directory of this name; raises SeedCardError."""
    return _ended("mdir", image, offset, [f"::/{name}"]).returncode == 0


def _run(program: str, image: Path, offset: int, arguments: Sequence[str]) -> None:
    done = _ended(program, image, offset, arguments)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise SeedCardError(f"the card's boot partition cannot be written: {program}: {said}")


def _ended(
    program: str, image: Path, offset: int, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - argument lists made here
            [program, "-i", f"{image}@@{offset}", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError as error:
        raise SeedCardError(f"{program}: not installed; sudo apt-get install mtools") from error
    except subprocess.TimeoutExpired as error:
        raise SeedCardError(f"{program}: did not end; try another disk") from error
