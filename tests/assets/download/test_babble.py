"""Whatever octets a publisher sends, a download ends with a verified file or one of its own errors, in one line."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
from support.downloading import FAST, sha256, wanted

from iluvatar_pxe.assets.download.client import Downloader
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.download.patience import Pauses
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.errors import DownloadError

BODY = b"kernel" * 100
HONEST = b'HTTP/1.1 200 OK\r\nContent-Length: 600\r\nETag: "a"\r\n\r\n' + BODY
ONCE = Pauses(0.0, 0.0, 1)


@asynccontextmanager
async def publisher_saying(answer: Callable[[], bytes]) -> AsyncIterator[str]:
    """Answer every request with these octets, and hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer())
            await writer.drain()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/kernel"


def downloader() -> Downloader:
    timing = type(FAST)(usual=ONCE, building=ONCE, stall=0.5, first_byte=0.5)
    return Downloader(timing=timing)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 1000,
        b"HTTP/1.1 999 \r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: -5\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\nContent-Length: 601\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nContent-Type: \xff/\xfe; charset=\xff\r\nContent-Length: 600\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\xff\xfe\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://a..b/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 300 + b"/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /a b\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\x01\x7f\r\n\r\n",
        b"HTTP/1.1 302 Found\r\n\r\n",
        b"HTTP/1.1 403 \x1b[31m\xff\r\nContent-Length: 9\r\n\r\n\x1b[31mevil",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 600\r\n\r\n" + BODY,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: \xff\r\nDate: \xff\r\n\r\n",
    ],
)
async def test_nonsense_is_refused_in_one_line(tmp_path: Path, answer: bytes) -> None:
    async with publisher_saying(lambda: answer) as url:
        with pytest.raises(DownloadError) as raised:
            await download(
                wanted(url, check=sha256(b"kernel")),
                tmp_path,
                lambda _: None,
                Turns(1).turn(),
                downloader=downloader(),
            )
    text = str(raised.value)
    assert text.isprintable()
    assert text.startswith("talos/kernel-amd64: ")
    assert "; " in text
    assert not (tmp_path / "kernel-amd64").exists()


@pytest.mark.parametrize(
    "examples", [30, pytest.param(3000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
async def test_damaged_answers_are_taken_whole_or_refused(tmp_path: Path, examples: int) -> None:
    rules = (
        b"\r\n",
        b":",
        b"\xff",
        b"\0",
        b"206",
        b"302",
        b"Location: ",
        b"Content-Range: bytes 0-",
        b"chunked",
        b"9",
    )
    chance = random.Random()

    def damaged() -> bytes:
        octets = bytearray(HONEST)
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(octets) - len(BODY) + 20)
            octets[at : at + chance.randrange(8)] = chance.choice(rules)
        return bytes(octets)

    async with publisher_saying(damaged) as url:
        for _ in range(examples):
            with suppress(DownloadError):
                await download(
                    wanted(url, check=sha256(BODY)),
                    tmp_path,
                    lambda _: None,
                    Turns(1).turn(),
                    downloader=downloader(),
                )
                assert (tmp_path / "kernel-amd64").read_bytes() == BODY
                (tmp_path / "kernel-amd64").unlink()
