"""Downloaded archives and images as their publishers made them, kept for the fleet's other daemons.

What is unpacked from them nobody else has a checksum for.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from iluvatar_pxe.assets.download.download import Got
from iluvatar_pxe.assets.index import ORIGINALS, Given, Index
from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import FileSource
from iluvatar_pxe.catalogue.download import Digest
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.host.durable import put_in_place
from iluvatar_pxe.host.owner import make_directory
from iluvatar_pxe.ratelimit import complain


class Originals:
    """Those of one assets directory, by their sha256 in a hidden folder; ``are_wanted`` says whether there are others."""

    def __init__(self, index: Index, are_wanted: Callable[[], bool]) -> None:
        self._index = index
        self._are_wanted = are_wanted
        self._folder = (index.directory / ORIGINALS).resolve()

    def path(self, sha256: str) -> Path:
        """Return where an original lies."""
        return self._folder / sha256

    def keep(self, got: Got) -> Given | None:
        """Keep a file that was unpacked, or remove it where nobody wants it; blocks."""
        with suppress(OSError):  # then this daemon alone has no use of it
            if self._are_wanted():
                make_directory(self._folder, 0o755)
                path = self.path(got.sha256)
                put_in_place(got.path, path)
                status = path.stat()
                return Given(size=status.st_size, modified=status.st_mtime_ns, sha256=got.sha256)
        got.path.unlink(missing_ok=True)
        return None

    async def open(self, digest: Digest) -> FileSource | None:
        """Open the original with a checksum, if it is here as it was put there; raises AssetError."""
        given = self._index.original_of(digest)
        if given is None:
            return None
        path = self.path(given.sha256)
        try:
            source = await FileSource.open(ListedFile(path))
        except AssetError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # somebody made room
                return None
            raise
        if (source.size, source.modified) == (given.size, given.modified):
            return source
        await source.close()
        why = "was changed, so nobody gets it; to have it checked: iluvatar-pxe assets verify"
        complain("asset.original", path=str(path), why=why)
        return None

    def tidy(self) -> None:
        """Remove those that belong to no record any more, and all where nobody wants any; blocks."""
        kept = self._index.originals if self._are_wanted() else frozenset[str]()
        with suppress(OSError):  # there are none, or the next time
            for path in self._folder.iterdir():
                if path.name not in kept:
                    path.unlink()
