"""What the fleet's other daemons get from here by its checksum: what is here, and what arrives from its publisher."""

from iluvatar_pxe.assets.fetcher import Fetcher
from iluvatar_pxe.assets.index import Index
from iluvatar_pxe.assets.originals import Originals
from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.catalogue.download import Digest


class Offered:
    """The files of one assets directory."""

    def __init__(self, store: AssetStore, index: Index, originals: Originals, fetcher: Fetcher) -> None:
        self._store = store
        self._index = index
        self._originals = originals
        self._fetcher = fetcher

    async def open(self, digest: Digest) -> Source | None:
        """Open the file with a checksum, or return None; raises AssetError when it cannot be read.

        What comes from a peer is not passed on before it is whole: so no two daemons ever wait for each other.
        """
        for name in self._index.names_of(digest):
            if source := await self._store.open(name):
                return source
        return await self._originals.open(digest) or self._fetcher.passing_on(digest)
