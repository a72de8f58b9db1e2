"""Downloads go through the proxies of the environment, as other programs' do."""

import os
from collections.abc import AsyncIterator

import pytest
from support.downloading import Site
from support.http_proxy import HttpProxy

from iluvatar_pxe.errors import DownloadError, UnavailableError

CONTENT = os.urandom(300_000)


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpProxy]:
    async with HttpProxy().listen() as running:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, running.url.replace("//", "//user:hidden@"))
        yield running


async def test_a_file_comes_through_the_proxy(site: Site, proxy: HttpProxy) -> None:
    site.shop.offer("/kernel", CONTENT)
    await site.get(f"http://publisher.example:{site.shop.port}/kernel", check=CONTENT)
    assert proxy.asked == [f"GET http://publisher.example:{site.shop.port}/kernel HTTP/1.1"]
    assert b"Proxy-Authorization: Basic" in proxy.headers[0]


async def test_a_file_comes_by_tls_through_the_proxy(site: Site, proxy: HttpProxy) -> None:
    site.shop.offer("/kernel", CONTENT)
    await site.get(site.shop.url("/kernel", tls=True), check=CONTENT)
    assert [line.split()[0] for line in proxy.asked] == ["CONNECT"]


async def test_no_proxy_is_obeyed(site: Site, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    await site.get(site.shop.offer("/kernel", CONTENT), check=CONTENT)
    assert not proxy.asked


@pytest.mark.parametrize("tls", [False, True])
async def test_a_proxy_that_refuses_is_told_of(site: Site, proxy: HttpProxy, *, tls: bool) -> None:
    proxy.refusal = "407 Proxy Authentication Required"
    site.shop.offer("/kernel", CONTENT)
    with pytest.raises(DownloadError, match=r"the proxy .*407.*http_proxy") as raised:
        await site.get(site.shop.url("/kernel", tls=tls), check=CONTENT)
    assert "hidden" not in str(raised.value)


async def test_a_proxy_that_is_away_is_told_of(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:hidden@127.0.0.1:1")
    with pytest.raises(UnavailableError, match=r"the proxy cannot be reached: Connection refused") as raised:
        await site.get("http://publisher.example/kernel", check=CONTENT)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("proxy_url", ["proxy:3128", "http://[", "socks5://127.0.0.1:1080"])
async def test_a_malformed_proxy_is_told_of(
    site: Site, monkeypatch: pytest.MonkeyPatch, proxy_url: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy_url)
    with pytest.raises(DownloadError, match="http_proxy: its address is not one of http or https"):
        await site.get("http://publisher.example/kernel", check=CONTENT)
