"""Snapshots of etcd as files: those of this host, and their copies elsewhere. These functions block."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.host.durable import put_in_place, write_file
from iluvatar_pxe.host.owner import make_directory
from iluvatar_pxe.layers.etcd.snapshots import KeptSnapshot, surplus, taken_of

_TOKENS = "server-token-*.age"


class SnapshotStore:
    """One directory for each layer; only whole snapshots have a name there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self, layer: str) -> Path:
        """Return the directory of a layer, made where it is missing, without what a killed process left; raises OperationError."""
        place = self._directory / layer
        try:
            make_directory(self._directory)
            make_directory(place)
            for left in place.glob(".*"):
                left.unlink()
        except OSError as error:
            raise OperationError(f"{place}: {error.strerror}; make it writable") from error
        return place

    def kept(self, layer: str) -> list[KeptSnapshot]:
        """Return the snapshots of a layer, oldest first; raises OperationError."""
        place = self._directory / layer
        try:
            sizes = {taken_of(file.name): file.stat().st_size for file in place.glob("*.age")}
        except OSError as error:
            raise OperationError(f"{place}: {error.strerror}; make it readable") from error
        found = [KeptSnapshot(taken, size) for taken, size in sizes.items() if taken]
        return sorted(found, key=lambda one: one.taken)

    def keep_token(self, layer: str, mark: str, sealed: bytes) -> None:
        """Put the token beside a layer's snapshots that opens them; ``mark`` tells one from others. Raises OperationError."""
        file = self._directory / layer / f"server-token-{mark}.age"
        try:
            write_file(file, sealed)
        except OSError as error:
            raise OperationError(f"{file}: {error.strerror}; make its directory writable") from error

    def rotate(self, layer: str, newest: str) -> None:
        """Remove the oldest, after a new one is in place; raises OperationError."""
        place = self._directory / layer
        try:
            _remove_surplus(place, newest)
        except OSError as error:
            raise OperationError(f"{place}: {error.strerror}; make it writable") from error

    def copy(self, layers: Iterable[str], target: Path, host: str) -> None:
        """Copy what is missing to ``target``, into a directory of this host; raises OperationError.

        ``target`` itself is never made: where a share is not mounted, that would fill this host's own disk.
        """
        if not target.is_dir():
            raise OperationError(f"backup.directory: {target} is no directory of this host; mount or make it")
        try:
            make_directory(target / host)
            for layer in layers:
                make_directory(target / host / layer)
                _copy(self._directory / layer, target / host / layer)
        except OSError as error:
            raise OperationError(
                f"backup.directory: {target}: {error.strerror}; let the daemon write there (docs/operation.md)"
            ) from error


def _copy(source: Path, target: Path) -> None:
    """Copy what is to be kept there and is not there whole, so that a second round changes nothing."""
    for left in target.glob(".*.age-*"):  # of a killed process
        left.unlink()
    own, there = _sizes(source), _sizes(target)
    newest = max(own, default="")
    lost = set(surplus({*own, *there}, newest))
    for name in sorted(own.keys() - lost):
        if there.get(name) == own[name]:
            continue
        with tempfile.NamedTemporaryFile(prefix=f".{name}-", dir=target, delete=False) as new:
            place = Path(new.name)
        try:
            shutil.copyfile(source / name, place)
            put_in_place(place, target / name)
        finally:
            place.unlink(missing_ok=True)
    for token in source.glob(_TOKENS):
        write_file(target / token.name, token.read_bytes())
    if newest:
        _remove_surplus(target, newest)


def _sizes(place: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in place.glob("[!.]*.age") if taken_of(file.name)}


def _remove_surplus(place: Path, newest: str) -> None:
    for name in surplus((file.name for file in place.iterdir()), newest):
        (place / name).unlink()
