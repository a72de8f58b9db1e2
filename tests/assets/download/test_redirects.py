"""A redirect leads to another publisher, and neither in circles, nor out of TLS, nor to this host."""

import os
from collections.abc import AsyncIterator, Callable

import pytest
from support.downloading import NAME, Site
from support.http_proxy import HttpProxy

from iluvatar_pxe.catalogue.download import FirstUse
from iluvatar_pxe.errors import DownloadError

CONTENT = os.urandom(100_000)


async def refusal(site: Site, url: str) -> str:
    """Return why a download is refused, in one line."""
    with pytest.raises(DownloadError) as raised:
        await site.get(url, check=FirstUse())
    assert site.names == set()
    text = str(raised.value)
    assert text.isprintable()
    assert text.startswith(f"{NAME}: ")
    assert "; correct the address" in text
    return text


async def test_redirects_are_followed(site: Site) -> None:
    shop = site.shop
    shop.offer("/kernel", CONTENT)
    shop.offer("/2", redirect="kernel")
    got = await site.get(shop.offer("/1", redirect=shop.url("/2")), check=CONTENT)
    assert got.source == shop.url("/1")
    assert [asked.path for asked in shop.asked] == ["/1", "/2", "/kernel"]


async def test_a_redirect_leads_into_tls(site: Site) -> None:
    site.shop.offer("/kernel", CONTENT)
    await site.get(site.shop.offer("/1", redirect=site.shop.url("/kernel", tls=True)), check=CONTENT)
    assert [asked.tls for asked in site.shop.asked] == [False, True]


async def test_a_signed_address_is_asked_for_as_it_was_sent(site: Site) -> None:
    signed = "/a%2Bb+c/kernel?sig=x%2Fy%3D%2B&t=1+2"
    site.shop.offer(signed, CONTENT)
    await site.get(site.shop.offer("/1", redirect=signed), check=CONTENT)
    assert site.shop.asked[-1].path == signed


async def test_credentials_do_not_go_to_where_a_redirect_leads(site: Site) -> None:
    site.shop.offer("/kernel", CONTENT)
    site.shop.offer("/1", redirect=site.shop.url("/kernel", tls=True))
    await site.get(f"http://user:hidden@127.0.0.1:{site.shop.port}/1", check=CONTENT)
    assert ["authorization" in asked.headers for asked in site.shop.asked] == [True, False]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/1", "redirects in a circle"),
        ("ftp://127.0.0.1/kernel", "redirects to an address of ftp"),
        ("file:///etc/passwd", "redirects to"),
        ("javascript:alert(1)", "redirects to"),
        ("", "redirects to what is no address"),
        ("http://[", "redirects to what is no address"),
        ("http://:80/", "redirects to what is no address"),
        ("http://127.0.0.1:99999/", "redirects to what is no address"),
    ],
)
async def test_a_redirect_to_no_publisher_is_refused(site: Site, target: str, words: str) -> None:
    assert words in await refusal(site, site.shop.offer("/1", redirect=target))


async def test_a_longer_circle_is_refused(site: Site) -> None:
    site.shop.offer("/2", redirect="/1")
    assert "in a circle" in await refusal(site, site.shop.offer("/1", redirect="/2"))


async def test_more_redirects_than_ten_are_refused(site: Site) -> None:
    for number in range(20):
        site.shop.offer(f"/{number}", redirect=f"/{number + 1}")
    assert "more than 10 times" in await refusal(site, site.shop.url("/0"))
    assert len(site.shop.asked) == 11


async def test_a_redirect_out_of_tls_is_refused(site: Site) -> None:
    site.shop.offer("/1", redirect=site.shop.offer("/kernel", CONTENT))
    assert "from https to http" in await refusal(site, site.shop.url("/1", tls=True))
    assert not site.shop.asked_for("/kernel")


@pytest.fixture
async def outside(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[str], str]]:
    """Return what offers a redirect at a publisher whose name is not this host's: a proxy leads to it."""
    async with HttpProxy().listen() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)

        def offer(target: str) -> str:
            site.shop.offer("/1", redirect=target)
            return f"http://publisher.example:{site.shop.port}/1"

        yield offer


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.3.2.1",
        "localhost",
        "api.localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1]",
        "224.0.0.1",
    ],
)
async def test_a_redirect_to_this_host_is_refused(
    site: Site, outside: Callable[[str], str], host: str
) -> None:
    site.shop.offer("/secret", CONTENT)
    text = await refusal(site, outside(f"http://{host}:{site.shop.port}/secret"))
    assert "this host's own network" in text
    assert not site.shop.asked_for("/secret")


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f000001"])
async def test_a_name_that_stands_for_this_host_is_refused(
    site: Site, outside: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("no_proxy", host)
    site.shop.offer("/secret", CONTENT)
    text = await refusal(site, outside(f"http://{host}:{site.shop.port}/secret"))
    assert "this host's own network" in text or "is not a valid host" in text
    assert not site.shop.asked_for("/secret")


async def test_a_redirect_to_another_host_is_followed_by_the_proxy(
    site: Site, outside: Callable[[str], str]
) -> None:
    site.shop.offer("/kernel", CONTENT)
    await site.get(outside(f"http://cdn.example:{site.shop.port}/kernel"), check=CONTENT)
    assert site.path.read_bytes() == CONTENT
