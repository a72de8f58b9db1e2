"""Gets a file whose checksum is known from the fleet's other daemons, and only what they do not have from its publisher."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from iluvatar_pxe.assets.download.client import Downloader, Timing
from iluvatar_pxe.assets.download.download import Got, Report, download
from iluvatar_pxe.assets.download.expected import digest_for
from iluvatar_pxe.assets.download.patience import Pauses
from iluvatar_pxe.assets.index import Index
from iluvatar_pxe.assets.job import Get
from iluvatar_pxe.assets.peers import Peer
from iluvatar_pxe.assets.turns import Turn
from iluvatar_pxe.catalogue.download import Digest, Download, SumsFile
from iluvatar_pxe.catalogue.progress import Progress
from iluvatar_pxe.errors import DiskError, DownloadError
from iluvatar_pxe.values import replace

ONCE = Pauses(1.0, 1.0, 1)
TIMING = Timing(
    connect=3.0,
    first_byte=10.0,
    stall=10.0,
    slow=15.0,
    least_rate=100_000,
    usual=ONCE,
    one_of_several=ONCE,
)
"""A peer is asked once, and has to be at least as useful as a publisher: what came of it is gone on with elsewhere."""

_log = structlog.get_logger()


class Peers(Protocol):
    """The fleet's other daemons."""

    async def having(self, digest: Digest) -> tuple[Peer, ...]:
        """Return those that have the file with a checksum."""
        ...

    def failed(self, peer: Peer, digest: Digest, error: DownloadError) -> None:
        """Take in that a file did not come from one of them."""
        ...


class PeersFirst:
    """Downloads files as ``get`` does, but those that peers have from them."""

    def __init__(
        self, peers: Peers, index: Index, get: Get, downloader: Downloader, timing: Timing = TIMING
    ) -> None:
        """``downloader`` asks for publishers' lists; ``timing`` is for peers."""
        self._peers = peers
        self._index = index
        self._get = get
        self._downloader = downloader
        self._for_peers = downloader.direct(timing)

    async def __call__(self, download: Download, place: Path, report: Report, turn: Turn) -> Got:
        """Get a file; raises AssetError."""
        digest = await self._digest_of(download, turn)
        if digest is None:
            return await self._get(download, place, report, turn)
        known = replace(download, check=digest)
        got = await self._from_peers(known, digest, place, report, turn)
        return got or await self._get(known, place, report, turn)

    async def _digest_of(self, download: Download, turn: Turn) -> Digest | None:
        """Return the checksum that a file must have: where its publisher's list is not to be had, that of an earlier one."""
        if not isinstance(download.check, SumsFile):
            return await digest_for(download.name, download.check, self._downloader)
        try:
            digest = await digest_for(download.name, download.check, self._downloader, turn.pause)
        except DownloadError as error:
            earlier = self._index.listed_of(download)
            if earlier is None:
                raise
            _log.warning("download.earlier_list", name=download.name, why=str(error))
            return earlier
        if digest:
            await self._index.note_listed(download, digest)
        return digest

    async def _from_peers(
        self, wanted: Download, digest: Digest, place: Path, report: Report, turn: Turn
    ) -> Got | None:
        """Return what the first peer gives that gives it."""
        for peer in await self._peers.having(digest):
            at_peer = replace(wanted, urls=(peer.url,), builds=False)
            try:
                got = await download(at_peer, place, _told(report, peer), turn, downloader=self._for_peers)
            except DownloadError as error:  # also of the disk: the peer may lie about the size
                self._peers.failed(peer, digest, error)
                _log.warning("peer.passed_over", peer=peer.name, why=why_not(error))
            else:
                return replace(got, source=f"peer {peer.name}")
        return None


def why_not(error: DownloadError) -> str:
    """Say why a peer did not give a file: what to do is another thing than at a publisher, unless the disk is full."""
    if isinstance(error, DiskError):
        return str(error)
    trouble, _, _ = str(error).rpartition("; ")
    return f"{trouble or error}; see that daemon's log, and run 'iluvatar-pxe assets verify' there"


def _told(report: Report, peer: Peer) -> Callable[[Progress], None]:
    return lambda progress: report(replace(progress, peer=peer.name))
