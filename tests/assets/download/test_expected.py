"""A publisher's own list of checksums counts, once its signature is checked."""

import os
import re
from pathlib import Path

import pysequoia
import pytest
from support.downloading import Site

from iluvatar_pxe import resources
from iluvatar_pxe.assets.download import signature
from iluvatar_pxe.catalogue.download import SumsFile
from iluvatar_pxe.errors import DownloadError, SumsError

CONTENT = os.urandom(100_000)
KEY = pysequoia.Tsk.generate("Publisher <publisher@example.org>")


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the publisher's certificate where those of the catalogue's publishers are."""
    directory = tmp_path / "boot_assets" / "keys"
    directory.mkdir(parents=True)
    (directory / "publisher.asc").write_text(str(KEY.extract_certificate()))
    monkeypatch.setattr(signature, "data_directory", lambda name: tmp_path / name)
    assert resources.data_directory("boot_assets").is_dir()


def signed(*urls: str, signatures: tuple[str, ...]) -> SumsFile:
    return SumsFile(urls, "sha256", "kernel", signatures, "publisher")


async def test_a_listed_and_signed_file_is_downloaded(site: Site) -> None:
    shop = site.shop
    url = shop.offer("/kernel", CONTENT)
    sums = shop.offer_sums("/SUMS", "/kernel")
    await site.get(url, check=signed(sums, signatures=(shop.offer_signature("/SUMS.gpg", "/SUMS", KEY),)))
    assert site.path.read_bytes() == CONTENT


async def test_a_list_that_nobody_signs_counts_too(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    await site.get(url, check=SumsFile((site.shop.offer_sums("/SUMS", "/kernel"),), "sha256", "kernel"))
    assert site.path.read_bytes() == CONTENT


async def test_a_listed_checksum_that_is_wrong_refuses_the_file(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    sums = site.shop.offer_sums("/SUMS", "/kernel", wrong=True)
    with pytest.raises(DownloadError, match="whose sha256 is"):
        await site.get(url, check=SumsFile((sums,), "sha256", "kernel"))
    assert site.names == set()


async def test_a_bad_signature_refuses_the_file_before_it_is_asked_for(site: Site) -> None:
    shop = site.shop
    url = shop.offer("/kernel", CONTENT)
    sums = shop.offer_sums("/SUMS", "/kernel")
    bad = shop.offer_signature("/SUMS.gpg", "/SUMS", KEY, wrong=True)
    with pytest.raises(SumsError, match="signature"):
        await site.get(url, check=signed(sums, signatures=(bad,)))
    assert not shop.asked_for("/kernel")


async def test_a_mirror_s_bad_list_is_not_the_last_word(site: Site) -> None:
    shop = site.shop
    url = shop.offer("/kernel", CONTENT)
    lists = (shop.offer_sums("/mirror/SUMS", "/kernel", wrong=True), shop.offer_sums("/SUMS", "/kernel"))
    signatures = (shop.url("/mirror/SUMS.gpg"), shop.offer_signature("/SUMS.gpg", "/SUMS", KEY))
    await site.get(url, check=signed(*lists, signatures=signatures))
    assert site.path.read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["/SUMS", "/SUMS.gpg"])
async def test_faults_name_the_list_s_address_without_credentials(site: Site, path: str) -> None:
    shop = site.shop
    shop.offer("/kernel", CONTENT)
    shop.offer_sums("/SUMS", "/kernel")
    shop.offer_signature("/SUMS.gpg", "/SUMS", KEY)
    shop.offers[path].content = b"no such thing"
    base = f"http://user:hidden@127.0.0.1:{shop.port}"
    check = signed(f"{base}/SUMS?token=hidden", signatures=(f"{base}/SUMS.gpg?token=hidden",))
    shop.offers |= {f"{name}?token=hidden": shop.offers[name] for name in ("/SUMS", "/SUMS.gpg")}
    with pytest.raises(SumsError, match=re.escape(shop.url("/SUMS.gpg"))) as raised:
        await site.get(shop.url("/kernel"), check=check)
    assert "hidden" not in str(raised.value)


async def test_a_list_without_the_file_names_its_address_without_credentials(site: Site) -> None:
    sums = site.shop.offer("/SUMS?token=hidden", b"no list\n").replace("//", "//user:hidden@")
    with pytest.raises(SumsError, match=re.escape(site.shop.url("/SUMS"))) as raised:
        await site.get(site.shop.url("/kernel"), check=SumsFile((sums,), "sha256", "kernel"))
    assert "hidden" not in str(raised.value)


async def test_a_list_that_is_too_long_is_refused(site: Site) -> None:
    sums = site.shop.offer("/SUMS", bytes(1_100_000))
    with pytest.raises(DownloadError, match="sends more than 1000000 bytes"):
        await site.get(site.shop.offer("/kernel", CONTENT), check=SumsFile((sums,), "sha256", "kernel"))


async def test_the_list_of_who_is_busy_is_asked_for_again(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    sums = site.shop.offer_sums("/SUMS", "/kernel")
    site.shop.offers["/SUMS"].status, site.shop.offers["/SUMS"].times = 503, 2
    await site.get(url, check=SumsFile((sums,), "sha256", "kernel"))
    assert len(site.shop.asked_for("/SUMS")) == 3
