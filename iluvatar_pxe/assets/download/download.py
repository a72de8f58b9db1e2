"""Downloads one file into a directory: resumed after any interruption, verified while it comes, then put in place."""

import asyncio
import errno
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from iluvatar_pxe.assets.download.attempts import try_each
from iluvatar_pxe.assets.download.client import Answer, Ask, Downloader
from iluvatar_pxe.assets.download.expected import digest_for
from iluvatar_pxe.assets.download.part import Part, part_of
from iluvatar_pxe.assets.download.ranges import (
    Complete,
    Continue,
    FromStart,
    Kept,
    conditions,
    judge,
    validator_of,
)
from iluvatar_pxe.assets.download.route import host_of, parse_address, shown
from iluvatar_pxe.assets.download.space import missing
from iluvatar_pxe.assets.download.speed import Speed
from iluvatar_pxe.catalogue.download import Digest, Download
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.errors import DiskError, DownloadError, UnavailableError
from iluvatar_pxe.host.background import background_thread
from iluvatar_pxe.wire.boot_file import HEAD, fault_of

Report = Callable[[Progress], None]
P = ParamSpec("P")
T = TypeVar("T")

_WHOLE, _REST = frozenset({200}), frozenset({200, 206, 416})
_PAGES = {"text/html", "application/xhtml+xml"}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_LOOK_BYTES = 16 << 20
"""How often the free space is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """A file that was downloaded and is what its check says; ``source`` is its address without what may be secret.

    ``sha512`` is empty unless that is what the file was checked by.
    """

    path: Path
    size: int
    sha256: str
    sha512: str = ""
    source: str


async def download(download: Download, place: Path, report: Report, downloader: Downloader) -> Got:
    """Download a file into the directory ``place``, under the last part of its name; raises DownloadError or SumsError.

    What is there after an interruption, also of the process, stays beside it as ``NAME.part`` and is gone on with.
    """
    if not download.urls:
        raise DownloadError(f"{download.name}: has no address; add one to its entry in the catalogue")
    thread = background_thread("download")
    try:
        expected = await digest_for(download.name, download.check, downloader)
        transfer = _Transfer(download, place / Path(download.name).name, report, downloader, expected, thread)
        return await try_each(
            download.urls,
            transfer.attempt,
            downloader.timing,
            gained=transfer.gained,
            paused=transfer.pause,
        )
    finally:
        thread.shutdown(wait=False)


class _Transfer:
    """One file, through all attempts to get it. ``thread`` does what blocks."""

    def __init__(
        self,
        download: Download,
        path: Path,
        report: Report,
        downloader: Downloader,
        expected: Digest | None,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._download = download
        self._name = download.name
        self._path = path
        self._tell = report
        self._downloader = downloader
        self._expected = expected
        self._thread = thread
        self._part = Part(part_of(path), {expected.algorithm} if expected else ())
        self._trouble = ""
        self._began_at: int | None = None

    def gained(self) -> int:
        """Return how many bytes the last attempt added to those before; none where it started over."""
        return 0 if self._began_at is None else self._part.size - self._began_at

    def pause(self, error: UnavailableError) -> None:
        """Report why there is a pause now."""
        self._trouble = "" if error.is_building else str(error)
        self._report(State.BUILDING if error.is_building else State.WAITING, self._download.size)

    async def attempt(self, url: str) -> Got:
        """Ask an address for the file, or for what is still missing of it."""
        self._began_at = None
        kept = await self._do(self._part.resume, url)
        try:
            await self._ask(url, kept)
        finally:
            await self._do(self._part.rest)
        await self._verify(url, is_resumed=kept is not None)
        await self._do(self._part.finish, self._path)
        return Got(
            path=self._path,
            size=self._part.size,
            sha256=self._part.checksum("sha256"),
            sha512=self._part.checksum("sha512") if self._is_sha512 else "",
            source=shown(parse_address(self._name, url)),
        )

    @property
    def _is_sha512(self) -> bool:
        return self._expected is not None and self._expected.algorithm == "sha512"

    async def _ask(self, url: str, kept: Kept | None) -> None:
        builds = self._download.builds
        self._report(State.BUILDING if builds else State.LOADING, kept.total if kept else self._download.size)
        ask = Ask(
            what=self._name,
            url=url,
            headers=conditions(kept),
            builds=builds,
            accept=_REST if kept else _WHOLE,
        )
        async with self._downloader.open(ask) as answer:
            headers = answer.response.headers
            match judge(kept, answer.response.status, headers):
                case Complete():
                    return None
                case Continue(total):
                    self._began_at = self._part.size
                    return await self._receive(answer, total)
                case FromStart(total):
                    await self._do(self._part.begin, url, validator_of(headers) or "", total)
                    return await self._receive(answer, total)
        await self._do(self._part.discard)
        return await self._ask(url, None)

    async def _receive(self, answer: Answer, total: int | None) -> None:
        """Write the body to the disk as it comes."""
        loop = asyncio.get_running_loop()
        size = await self._size(answer, total)
        speed, looked = Speed(self._part.size, loop.time()), self._part.size
        await self._look(size)
        self._report(State.LOADING, size)
        async for piece in self._downloader.pieces(answer):
            if not self._part.size:
                await self._look_into(answer, piece, size)
            await self._do(self._part.append, piece)
            self._report(State.LOADING, size, speed.reach(self._part.size, loop.time()))
            if size is not None and self._part.size > size:
                break
            if self._part.size - looked >= _LOOK_BYTES:
                looked = self._part.size
                await self._look(size)
        if size is not None and self._part.size != size:
            raise await self._wrong(answer, f"sent {self._part.size} bytes, but {size} were announced")

    async def _size(self, answer: Answer, total: int | None) -> int | None:
        """Return the size of the whole file, if it is known."""
        pinned = self._download.size
        if None not in {pinned, total} and pinned != total:
            raise await self._wrong(answer, f"offers {total} bytes, but {pinned} are pinned")
        return pinned if total is None else total

    async def _look_into(self, answer: Answer, piece: bytes, size: int | None) -> None:
        """Refuse what is certainly no boot file by its first bytes."""
        if answer.response.content_type in _PAGES:
            raise await self._wrong(answer, "sent a web page; log in to this network if it asks for that")
        if fault := fault_of(piece[:HEAD], sys.maxsize if size is None else size):
            raise await self._wrong(answer, f"sent a file that {fault}")

    async def _look(self, size: int | None) -> None:
        """Refuse to fill the disk."""
        needed = max(0, (size or 0) - self._part.size)
        usage = await self._do(shutil.disk_usage, self._path.parent)
        if lacking := missing(needed, usage.free):
            await self._do(self._part.discard)
            raise DiskError(
                f"{self._name}: {self._path.parent} lacks {lacking} bytes of free space; "
                "free them, for example with: iluvatar-pxe assets gc"
            )

    async def _wrong(self, answer: Answer, fault: str) -> DownloadError:
        """Drop what came, and return the error that says why."""
        await self._do(self._part.discard)
        return DownloadError(
            f"{self._name}: {host_of(answer.url)} {fault}; correct the version, or the address"
        )

    async def _verify(self, url: str, *, is_resumed: bool) -> None:
        """Drop what came unless it is what was wanted."""
        host, expected = host_of(parse_address(self._name, url)), self._expected
        if not self._part.size:
            await self._do(self._part.discard)
            raise DownloadError(f"{self._name}: {host} sent an empty file; correct the address")
        if expected is None or (found := self._part.checksum(expected.algorithm)) == expected.value:
            return
        await self._do(self._part.discard)
        if is_resumed:
            raise UnavailableError(
                f"{self._name}: {host} changed the file during the download; it is downloaded from the start"
            )
        raise DownloadError(
            f"{self._name}: {host} sent a file whose {expected.algorithm} is {found}, not {expected.value}; "
            "do not use it, or correct what is pinned"
        )

    async def _do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do in the thread what blocks; raises DiskError."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))
        except OSError as error:
            if error.errno not in _FULL:
                path, reason = error.filename or self._path, error.strerror
                raise DiskError(f"{self._name}: {path}: {reason}; make the directory writable") from error
            await loop.run_in_executor(self._thread, self._part.discard)
            raise DiskError(
                f"{self._name}: the disk of {self._path.parent} is full; "
                "free space, for example with: iluvatar-pxe assets gc"
            ) from error

    def _report(self, state: State, size: int | None, rate: float = 0.0) -> None:
        self._tell(Progress(state=state, done=self._part.size, size=size, rate=rate, trouble=self._trouble))
