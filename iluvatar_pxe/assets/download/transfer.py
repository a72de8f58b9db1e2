"""One file through all attempts to get it: asks for what is missing of it, writes what comes, and verifies it."""

import asyncio
import sys
from collections.abc import Callable

from iluvatar_pxe.assets.download.client import Answer, Ask, Downloader
from iluvatar_pxe.assets.download.disk import Disk
from iluvatar_pxe.assets.download.framing import encoding_fault, end_fault
from iluvatar_pxe.assets.download.ranges import (
    Complete,
    Continue,
    FromStart,
    Kept,
    conditions,
    judge,
    validator_of,
)
from iluvatar_pxe.assets.download.route import host_of, parse_address
from iluvatar_pxe.assets.download.speed import Speed
from iluvatar_pxe.assets.turns import Turn
from iluvatar_pxe.assets.unpack.beginning import BEGINNING, bytes_unpacked
from iluvatar_pxe.catalogue.download import Digest, Download
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.errors import DiskError, DownloadError, MixedError, UnavailableError
from iluvatar_pxe.wire.boot_file import HEAD, fault_of

_WHOLE, _REST = frozenset({200}), frozenset({200, 206, 416})
_PAGES = {"text/html", "application/xhtml+xml"}
_LOOK_BYTES = 16 << 20
"""How often the free space is looked at."""
_UNTOLD = "does not tell how many there are; use another address, or make room for twice as many"


class Transfer:
    """The attempts to get one file onto a disk."""

    def __init__(
        self,
        download: Download,
        disk: Disk,
        expected: Digest | None,
        downloader: Downloader,
        report: Callable[[Progress], None],
        turn: Turn,
    ) -> None:
        """``expected``: the checksum that the file must have, None where nobody knows it yet."""
        self._name = download.name
        self._pinned = download.size
        self._builds = download.builds
        self._unpack = download.unpack
        self._disk = disk
        self._part = disk.part
        self._expected = expected
        self._downloader = downloader
        self._tell = report
        self._turn = turn
        self._size = download.size
        self._trouble = ""
        self._began_at: int | None = None

    def gained(self) -> int:
        """Return how many bytes the last attempt added to those before; none where it started over."""
        return 0 if self._began_at is None else self._part.size - self._began_at

    def heard(self, trouble: str, state: State) -> None:
        """Report what went wrong so far, and what happens now."""
        self._trouble = trouble
        self._report(state)

    async def attempt(self, url: str) -> str:
        """Ask an address for what is missing, verify the file, put it in place, and return the address."""
        self._began_at = None
        try:
            kept = await self._disk.do(self._part.resume, url)
            await self._ask(url, kept)
        finally:
            await self._disk.rest()
        await self._verify(url, is_resumed=kept is not None)
        await self._disk.do(self._part.finish, self._disk.path)
        return url

    async def _ask(self, url: str, kept: Kept | None) -> None:
        if self._builds:
            self._report(State.QUEUED)
            await self._turn.begin_build()
        self._report(State.BUILDING if self._builds else State.LOADING)
        accept = _REST if kept else _WHOLE
        ask = Ask(what=self._name, url=url, headers=conditions(kept), builds=self._builds, accept=accept)
        async with self._downloader.open(ask) as answer:
            await self._turn.begin()
            headers = answer.response.headers
            await self._check_framing(answer)
            match judge(kept, answer.response.status, headers):
                case Complete():
                    return
                case Continue(total):
                    self._began_at = self._part.size
                    await self._receive(answer, total)
                    return
                case FromStart() if kept and self._downloader.is_direct:
                    fault = f"cannot go on after {kept.size} bytes; the next address may"
                    raise UnavailableError(f"{self._name}: {host_of(answer.url)} {fault}")
                case FromStart(total):
                    await self._disk.do(self._part.begin, url, validator_of(headers) or "", total)
                    await self._receive(answer, total)
                    return
        await self._disk.do(self._part.discard)
        await self._ask(url, None)

    async def _receive(self, answer: Answer, total: int | None) -> None:
        """Write the body to the disk as it comes."""
        loop, part = asyncio.get_running_loop(), self._part
        await self._learn_size(answer, total)
        await self._disk.claim(self._missing())
        speed, look_at, left = Speed(part.size, loop.time()), BEGINNING, 0
        self._report(State.LOADING)
        async for piece in self._downloader.pieces(answer):
            if not part.size:
                await self._look_into(answer, piece)
            await self._disk.do(part.append, piece)
            self._report(State.LOADING, speed.reach(part.size, loop.time()))
            left = self._disk.wrote(len(piece))
            if left < 0:
                break
            if part.size >= look_at:
                await self._look(is_first=look_at == BEGINNING)
                look_at = part.size + _LOOK_BYTES
        if self._size is None and left < 0:
            raise await self._refused(answer, f"sent more than {part.size + left} bytes, and {_UNTOLD}")
        if self._size is not None and part.size != self._size:
            raise await self._wrong(answer, f"sent {part.size} bytes, but {self._size} were announced")

    async def _check_framing(self, answer: Answer) -> None:
        """Refuse what nobody can tell to be the whole file, as it is, unless a checksum will tell."""
        headers = answer.response.headers
        if self._expected is None and (fault := encoding_fault(headers) or end_fault(headers)):
            raise await self._refused(answer, fault)

    async def _learn_size(self, answer: Answer, total: int | None) -> None:
        """Take in the size of the whole file, if it is known."""
        if None not in {self._pinned, total} and self._pinned != total:
            raise await self._wrong(answer, f"offers {total} bytes, but {self._pinned} are pinned")
        self._size = self._pinned if total is None else total
        if self._size is None and self._downloader.is_direct:
            raise await self._refused(answer, "does not tell the size, which every daemon does")

    def _missing(self) -> int | None:
        return None if self._size is None else max(0, self._size - self._part.size)

    async def _look(self, *, is_first: bool) -> None:
        """See whether the disk still has room; first, whether also for what is unpacked, as the beginning tells."""
        if is_first and (unpacked := await self._disk.do(self._bytes_unpacked)):
            await self._expect(unpacked)
        await self._disk.look(self._missing())

    def _bytes_unpacked(self) -> int:
        with self._part.path.open("rb") as file:
            return bytes_unpacked(self._unpack, file)

    async def _expect(self, unpacked: int) -> None:
        try:
            await self._disk.expect(unpacked, self._missing())
        except DiskError:
            if self._began_at is None:  # the beginning may be a lie: nobody is to go on with it
                await self._disk.do(self._part.discard)
            raise

    async def _look_into(self, answer: Answer, piece: bytes) -> None:
        """Refuse what is certainly no boot file by its first bytes."""
        if answer.response.content_type in _PAGES:
            raise await self._wrong(answer, "sent a web page; log in to this network if it asks for that")
        size = sys.maxsize if self._size is None else self._size
        if fault := fault_of(piece[:HEAD], size):
            raise await self._wrong(answer, f"sent a file that {fault}")

    async def _wrong(self, answer: Answer, fault: str) -> DownloadError:
        return await self._refused(answer, f"{fault}; correct the version, or the address")

    async def _refused(self, answer: Answer, fault: str) -> DownloadError:
        """Drop what came, and return the error that says why and what to do."""
        await self._disk.do(self._part.discard)
        return DownloadError(f"{self._name}: {host_of(answer.url)} {fault}")

    async def _verify(self, url: str, *, is_resumed: bool) -> None:
        """Drop what came unless it is what was wanted."""
        subject, expected = f"{self._name}: {host_of(parse_address(self._name, url))}", self._expected
        if not self._part.size:
            await self._disk.do(self._part.discard)
            raise DownloadError(f"{subject} sent an empty file; correct the address")
        if expected is None or (found := self._part.checksum(expected.algorithm)) == expected.value:
            return
        await self._disk.do(self._part.discard)
        if is_resumed:
            raise MixedError(
                f"{subject} gave a beginning and a rest that are not the wanted file; it is downloaded from the start"
            )
        raise DownloadError(
            f"{subject} sent a file whose {expected.algorithm} is {found}, not {expected.value}; "
            "do not use it, or correct what is pinned"
        )

    def _report(self, state: State, rate: float = 0.0) -> None:
        progress = Progress(
            state=state, done=self._part.size, size=self._size, rate=rate, trouble=self._trouble
        )
        self._tell(progress)
