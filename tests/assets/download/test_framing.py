"""Where no checksum tells, a file whose end is not told, or that is compressed, is refused and not pinned."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
from support.downloading import Site

from iluvatar_pxe.assets.download.client import Ask
from iluvatar_pxe.assets.download.framing import encoding_fault, end_fault
from iluvatar_pxe.catalogue.download import Check, FirstUse
from iluvatar_pxe.errors import DownloadError, UnavailableError

BODY = b"kernel" * 100
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY
CUT_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n" + BODY + b"\r\n"
ENCODED = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 600\r\n\r\n" + BODY


@asynccontextmanager
async def saying(answer: bytes) -> AsyncIterator[str]:
    """Answer every request with these bytes, and hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/kernel"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (CLOSED, DownloadError, "does not tell where it ends, so that it may be truncated; pin its sha256"),
        (CLOSED.replace(b"1.1", b"1.0"), DownloadError, "does not tell where it ends"),
        (CUT_CHUNK, UnavailableError, "hung up before the end"),
        (ENCODED % b"gzip", DownloadError, "sent it compressed .*, which was not asked for; pin its sha256"),
        (ENCODED % b"br", DownloadError, "sent it compressed"),
    ],
)
async def test_the_first_use_of_what_may_not_be_the_file_is_refused(
    site: Site, answer: bytes, kind: type[DownloadError], words: str
) -> None:
    async with saying(answer) as url:
        with pytest.raises(DownloadError, match=words) as raised:
            await site.get(url, check=FirstUse())
    assert type(raised.value) is kind
    assert str(raised.value).isprintable()
    assert not site.path.exists()


@pytest.mark.parametrize(
    ("answer", "check"),
    [(CLOSED, BODY), (ENCODED % b"gzip", BODY), (CUT_CHUNK + b"0\r\n\r\n", FirstUse())],
)
async def test_a_checksum_or_an_end_tells_that_it_is_the_file(
    site: Site, answer: bytes, check: Check | bytes
) -> None:
    """Some publishers label archives as encoded, although they send them as they are."""
    async with saying(answer) as url:
        await site.get(url, check=check)
    assert site.path.read_bytes() == BODY


async def test_a_compressed_list_is_refused(site: Site) -> None:
    url = site.shop.offer("/SUMS", gzip.compress(b"list"), encoding="gzip")
    with pytest.raises(DownloadError, match=r"checksums of x: 127\.0\.0\.1 sent it compressed"):
        await site.downloader.read(Ask(what="checksums of x", url=url), 1000)


@pytest.mark.parametrize(
    ("headers", "is_encoded", "is_open"),
    [
        ({}, False, True),
        ({"Content-Length": "5"}, False, False),
        ({"Transfer-Encoding": "chunked"}, False, False),
        ({"Transfer-Encoding": "gzip, Chunked"}, True, False),
        ({"Transfer-Encoding": "gzip"}, True, True),
        ({"Content-Encoding": "identity", "Content-Length": "5"}, False, False),
        ({"Content-Encoding": "X-GZIP"}, True, True),
        ({"Content-Encoding": "identity,br", "Content-Length": "5"}, True, False),
    ],
)
def test_what_header_fields_tell(headers: dict[str, str], *, is_encoded: bool, is_open: bool) -> None:
    assert (bool(encoding_fault(headers)), bool(end_fault(headers))) == (is_encoded, is_open)
