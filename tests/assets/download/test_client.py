"""What all downloads share: the rate limit, and how hosts are named and resolved."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from support.downloading import FAST, Site, wanted
from support.publisher import Publisher
from yarl import URL

from iluvatar_pxe.assets.download.client import Ask, Downloader
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.download.guard import Guard
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.errors import DownloadError

CONTENT = os.urandom(300_000)


async def test_all_downloads_together_keep_to_the_rate(shop: Publisher) -> None:
    rate = 300_000
    downloader = Downloader(rate=rate, timing=FAST)
    url = shop.offer("/kernel", CONTENT)
    started = time.monotonic()
    bodies = await asyncio.gather(
        *(downloader.read(Ask(what="kernel", url=url), len(CONTENT)) for _ in range(2))
    )
    assert bodies == [CONTENT, CONTENT]
    assert time.monotonic() - started > 2 * len(CONTENT) / rate - 1  # one second's bytes pass at once


async def test_whole_downloads_share_the_rate(shop: Publisher, tmp_path: Path) -> None:
    """Four at once, as the fetcher has them: together no faster than the limit, and hardly slower."""
    rate, count = 400_000, 4
    downloader = Downloader(rate=rate, timing=FAST)
    ended: list[float] = []

    async def get(number: int) -> None:
        url, place = shop.offer(f"/{number}", CONTENT), tmp_path / str(number)
        place.mkdir()
        await download(
            wanted(url, check=CONTENT), place, lambda _: None, Turns(1).turn(), downloader=downloader
        )
        ended.append(time.monotonic() - started)

    started = time.monotonic()
    await asyncio.gather(*map(get, range(count)))
    due = count * len(CONTENT) / rate
    assert due - 1 < max(ended) < 2 * due  # one second's bytes pass at once
    assert len(shop.asked) == count


async def test_the_publisher_hears_who_asks(shop: Publisher) -> None:
    await Downloader().read(Ask(what="kernel", url=shop.offer("/kernel", CONTENT)), len(CONTENT))
    assert shop.asked[0].headers["user-agent"].startswith("iluvatar-pxe/")
    assert shop.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("name", ["127.1", "2130706433", "localhost"])
async def test_a_name_of_this_host_is_no_place_for_a_redirect(name: str) -> None:
    guard = Guard("kernel", URL("http://publisher.example/kernel"), lambda _: False)
    with pytest.raises(DownloadError, match="this host's own network"):
        await guard.resolve(name)
    await guard.close()


async def test_a_publisher_on_this_host_may_redirect_to_it() -> None:
    guard = Guard("kernel", URL("http://127.1/kernel"), lambda _: False)
    assert await guard.resolve("127.1")
    assert await guard.resolve("localhost")
    guard.check(URL("http://127.0.0.1/other"))
    await guard.close()


async def test_this_host_s_other_addresses_count_as_this_host() -> None:
    guard = Guard("kernel", URL("http://publisher.example/"), lambda address: str(address) == "192.0.2.7")
    with pytest.raises(DownloadError, match=r"192\.0\.2\.7, which is this host's own network"):
        guard.check(URL("http://192.0.2.7/"))
    guard.check(URL("http://192.0.2.8/"))
    await guard.close()


async def test_a_publisher_that_speaks_no_http_is_told_of(site: Site) -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ftp.example ready\r\n" * 10)
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for scheme, words in (("http", "does not speak HTTP"), ("https", "does not speak TLS")):
            with pytest.raises(DownloadError, match=words) as raised:
                await site.get(f"{scheme}://127.0.0.1:{port}/kernel", check=CONTENT)
            assert str(raised.value).isprintable()
