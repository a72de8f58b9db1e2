"""Where the secrets of a k3s cluster are read from: a file, a server's directory, or a tar of that."""

import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from iluvatar_pxe.cli.cluster.private_files import STANDARD, read_private
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.ainur.adoption.server_files import WANTED, secrets_text

_LARGEST = 1 << 16
"""Bytes of a file among them."""


def secrets_at(place: Path) -> str:
    """Return the secrets that a place has, in the format of ``cluster secrets export``; raises OperationError and UsageError."""
    try:
        if place != STANDARD and place.is_dir():
            return secrets_text(lambda name: _in_directory(place, name))
        if place != STANDARD and tarfile.is_tarfile(place):
            with tarfile.open(place) as archive:
                return secrets_text(_in_archive(archive))
    except OSError as error:
        raise OperationError(
            f"{place}: cannot be read: {error.strerror or error}; try it with sudo"
        ) from error
    except (tarfile.TarError, UnicodeDecodeError) as error:
        raise OperationError(f"{place}: is no tar of a k3s server's directory; make it again") from error
    return read_private(place)


def _in_directory(directory: Path, name: str) -> str | None:
    file = directory / name
    return file.read_text(encoding="ascii") if file.is_file() else None


def _in_archive(archive: tarfile.TarFile) -> Callable[[str], str | None]:
    """Return what reads a file by its path below the directory that has ``tls``."""
    found = {
        PurePosixPath(member.name): member
        for member in archive
        if member.isfile() and _is_wanted(member.name)
    }
    top = next((path.parents[1] for path in found if path.match("tls/server-ca.crt")), PurePosixPath())

    def read(name: str) -> str | None:
        member = found.get(top / name)
        file = archive.extractfile(member) if member else None
        return file.read(_LARGEST).decode("ascii") if file else None

    return read


def _is_wanted(name: str) -> bool:
    return any(PurePosixPath(name).match(one) for one in WANTED)
