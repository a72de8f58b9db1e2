"""Downloads one file into a directory: resumed after any interruption, verified while it comes, then put in place."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.assets.download.attempts import try_each
from iluvatar_pxe.assets.download.client import Downloader
from iluvatar_pxe.assets.download.disk import Disk
from iluvatar_pxe.assets.download.expected import digest_for
from iluvatar_pxe.assets.download.route import parse_address, shown
from iluvatar_pxe.assets.download.transfer import Transfer
from iluvatar_pxe.assets.turns import Turn
from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.progress import Progress
from iluvatar_pxe.errors import DownloadError

Report = Callable[[Progress], None]


class Got(Struct, frozen=True, kw_only=True):
    """A file that was downloaded and is what its check says; ``source`` is its address without what may be secret.

    ``sha512`` is empty unless that is what the file was checked by.
    """

    path: Path
    size: int
    sha256: str
    sha512: str = ""
    source: str


async def download(
    download: Download, place: Path, report: Report, turn: Turn, *, downloader: Downloader
) -> Got:
    """Download a file into the directory ``place``, under the last part of its name; raises DownloadError or SumsError.

    It gives way to others by its ``turn`` while a publisher lets it wait. What is there after an interruption,
    also of the process, stays beside it as ``NAME.part`` and is gone on with.
    """
    if not download.urls:
        raise DownloadError(f"{download.name}: has no address; add one to its entry in the catalogue")
    expected = await digest_for(download.name, download.check, downloader, turn.pause)
    algorithms = {expected.algorithm} if expected else set()
    disk = Disk(download.name, place / Path(download.name).name, algorithms, downloader.room)
    transfer = Transfer(download, disk, expected, downloader, report, turn)
    try:
        url = await try_each(
            download.name,
            download.urls,
            transfer.attempt,
            downloader.timing,
            gained=transfer.gained,
            heard=transfer.heard,
            wait=turn.pause,
        )
    finally:
        disk.close()
    return Got(
        path=disk.path,
        size=disk.part.size,
        sha256=disk.part.checksum("sha256"),
        sha512=disk.part.checksum("sha512") if "sha512" in algorithms else "",
        source=shown(parse_address(download.name, url)),
    )
