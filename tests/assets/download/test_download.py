"""A file is downloaded whole and verified, or not at all, whatever its publisher does."""

import asyncio
import gzip
import hashlib
import os
import re
from pathlib import Path

import pytest
from support.downloading import FAST, NAME, STALLS, Site, sha256
from support.publisher import publisher
from support.publisher_tls import Fault
from support.waiting import PATIENCE

from iluvatar_pxe.assets.download.attempts import together
from iluvatar_pxe.assets.download.client import Downloader
from iluvatar_pxe.assets.download.part import Part
from iluvatar_pxe.catalogue.download import Digest, FirstUse
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.errors import DownloadError, SumsError, UnavailableError
from iluvatar_pxe.values import replace

CONTENT = os.urandom(3_000_000)


def is_one_line(error: BaseException, host: str = "127.0.0.1:") -> bool:
    """Say whether an error names the thing, the host and a remedy in one line."""
    text = str(error)
    return text.isprintable() and NAME in text and host in text and "; " in text


async def test_a_file_is_put_in_place_verified(site: Site) -> None:
    got = await site.get(site.shop.offer("/kernel", CONTENT), check=CONTENT)
    assert got.path == site.path
    assert site.path.read_bytes() == CONTENT
    assert (got.size, got.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert got.source == site.shop.url("/kernel")
    assert site.names == {"kernel-amd64"}
    assert site.path.stat().st_mode & 0o777 == 0o644


async def test_a_file_may_be_checked_by_sha512_or_by_nothing(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    sha512 = hashlib.sha512(CONTENT).hexdigest()
    assert (await site.get(url, check=Digest("sha512", sha512))).sha512 == sha512
    assert (await site.get(url, check=FirstUse())).sha256 == hashlib.sha256(CONTENT).hexdigest()


async def test_it_is_told_how_far_it_is(site: Site) -> None:
    await site.get(site.shop.offer("/kernel", CONTENT, rate=5_000_000.0), check=CONTENT)
    done = [one.done for one in site.reports]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, len(CONTENT))
    assert {one.state for one in site.reports} == {State.LOADING}
    assert site.reports[-1].size == len(CONTENT)
    assert 0 < site.reports[-1].rate < 10_000_000


async def test_who_hangs_up_is_asked_for_the_rest(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, truncate=1_000_000, times=2)
    await site.get(url, check=CONTENT)
    starts = [asked.start for asked in site.shop.asked_for("/kernel")]
    assert starts == sorted(starts)
    assert 0 < starts[1] <= 1_000_000 < starts[2]
    assert all(is_one_line(Exception(text)) and "hung up" in text for text in site.troubles)
    assert len(site.troubles) == 2


async def test_who_hangs_up_and_names_no_validator_is_asked_for_all_of_it(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, truncate=1_000_000, times=1, etag=None)
    await site.get(url, check=CONTENT)
    assert [asked.start for asked in site.shop.asked_for("/kernel")] == [0, 0]


@pytest.mark.parametrize("how", [{"ranges": False}, {"etag": "weak"}])
async def test_who_cannot_go_on_starts_over(site: Site, how: dict[str, object]) -> None:
    url = site.shop.offer("/kernel", CONTENT, truncate=1_000_000, times=1, **how)
    await site.get(url, check=CONTENT)
    assert site.path.read_bytes() == CONTENT


async def test_who_always_hangs_up_is_given_up(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, truncate=1_000_000, ranges=False)
    with pytest.raises(UnavailableError, match="hung up") as raised:
        await site.get(url, check=CONTENT)
    assert is_one_line(raised.value)
    assert len(site.shop.asked) == 4
    assert not site.path.exists()


async def test_who_claims_more_bytes_than_there_are_is_given_up(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, claims=len(CONTENT) + 10)
    with pytest.raises(DownloadError) as raised:
        await site.get(url, check=CONTENT)
    assert is_one_line(raised.value)
    assert not site.path.exists()


async def test_who_claims_fewer_bytes_than_there_are_has_the_wrong_checksum(site: Site) -> None:
    with pytest.raises(DownloadError, match="sha256") as raised:
        await site.get(site.shop.offer("/kernel", CONTENT, claims=1000), check=CONTENT)
    assert is_one_line(raised.value)
    assert site.names == set()


async def test_another_size_than_the_pinned_one_is_refused_before_the_first_byte(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    with pytest.raises(DownloadError, match="offers 3000000 bytes, but 5 are pinned") as raised:
        await site.get(url, check=FirstUse(), size=5)
    assert is_one_line(raised.value)
    assert site.names == set()


@pytest.mark.parametrize("pinned", [len(CONTENT) - 1, len(CONTENT) + 1])
async def test_another_size_than_the_pinned_one_is_refused_at_the_end(site: Site, pinned: int) -> None:
    url = site.shop.offer("/kernel", CONTENT, sized=False)
    with pytest.raises(DownloadError, match="announced") as raised:
        await site.get(url, check=FirstUse(), size=pinned)
    assert is_one_line(raised.value)
    assert site.names == set()


async def test_a_file_without_a_length_is_downloaded(site: Site) -> None:
    await site.get(site.shop.offer("/kernel", CONTENT, sized=False), check=CONTENT)
    assert site.path.read_bytes() == CONTENT


async def test_an_archive_that_is_labelled_as_encoded_stays_what_it_is(site: Site) -> None:
    archive = gzip.compress(CONTENT)
    await site.get(site.shop.offer("/kernel", archive, encoding="gzip"), check=archive)
    assert site.path.read_bytes() == archive


async def test_who_changes_the_file_between_two_ranges_is_asked_for_all_of_it(site: Site) -> None:
    other = os.urandom(len(CONTENT))
    url = site.shop.offer("/kernel", CONTENT, then=other, truncate=1_000_000, times=1)
    await site.get(url, check=other)
    assert site.path.read_bytes() == other
    assert len(site.shop.asked) == 2  # the second had If-Range, and was answered with all of it


SATURDAY, SUNDAY = "Sat, 28 Nov 2020 12:00:00 GMT", "Sun, 29 Nov 2020 12:00:00 GMT"


@pytest.mark.parametrize(
    "how",
    [
        {"etag": None, "modified": SATURDAY, "then_modified": SUNDAY},
        {"tagged_parts": False, "modified": SATURDAY, "then_modified": SUNDAY},
        {},
    ],
)
async def test_who_ignores_if_range_and_says_that_the_file_changed_is_asked_for_all_of_it(
    site: Site, how: dict[str, object]
) -> None:
    """Nobody lists a checksum, so that only the validators tell."""
    other = os.urandom(len(CONTENT))
    url = site.shop.offer("/kernel", CONTENT, then=other, truncate=1_000_000, times=1, if_range=False, **how)
    await site.get(url, check=FirstUse())
    assert site.path.read_bytes() == other
    assert [asked.start > 0 for asked in site.shop.asked] == [False, True, False]


async def test_a_file_with_a_date_goes_on(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, truncate=1_000_000, times=1, etag=None, modified=SATURDAY)
    await site.get(url, check=FirstUse())
    assert site.path.read_bytes() == CONTENT
    assert [asked.start > 0 for asked in site.shop.asked] == [False, True]


async def test_who_changes_the_file_and_lies_about_it_is_found_out(site: Site) -> None:
    other = os.urandom(len(CONTENT))
    url = site.shop.offer("/kernel", CONTENT, then=other, truncate=1_000_000, times=1, etag="constant")
    await site.get(url, check=other)
    assert site.path.read_bytes() == other
    assert "gave a beginning and a rest that are not the wanted file" in site.troubles[-1]
    assert site.shop.asked[-1].start == 0


def keep(site: Site, url: str, content: bytes, total: int) -> None:
    """Leave the beginning of a file as an earlier attempt does."""
    part = Part(site.part, ())
    part.begin(url, '"constant"', total)
    part.append(content)
    part.rest()


async def test_a_file_that_only_was_not_put_in_place_yet_is_not_sent_again(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, etag="constant")
    keep(site, url, CONTENT, len(CONTENT))
    assert (await site.get(url, check=CONTENT)).size == len(CONTENT)
    assert site.names == {"kernel-amd64"}
    assert site.shop.sent == 0


async def test_a_file_that_is_shorter_than_what_is_kept_is_asked_for_all_of_it(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT[:1000], etag="constant")
    keep(site, url, CONTENT, len(CONTENT) + 1)
    await site.get(url, check=CONTENT[:1000])
    assert [asked.start for asked in site.shop.asked] == [len(CONTENT), 0]


async def test_a_page_is_told_apart_from_a_file(site: Site) -> None:
    with pytest.raises(DownloadError, match="sent a web page; log in to this network") as raised:
        await site.get(site.shop.offer("/kernel", html=True), check=FirstUse())
    assert is_one_line(raised.value)
    assert site.names == set()


async def test_a_page_that_says_that_it_is_a_file_is_told_apart(site: Site) -> None:
    page = b"<!DOCTYPE html>\n<html>" + bytes(10_000)
    with pytest.raises(DownloadError, match="is a web page"):
        await site.get(site.shop.offer("/kernel", page), check=FirstUse())
    with pytest.raises(DownloadError, match="empty"):
        await site.get(site.shop.offer("/kernel", b""), check=FirstUse())
    assert site.names == set()


async def test_who_stalls_is_asked_for_the_rest(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, stall=1_000_000, times=1)
    site.downloader = Downloader(timing=STALLS)
    await site.get(url, check=CONTENT)
    assert site.path.read_bytes() == CONTENT
    assert "sent nothing for" in site.troubles[0]


async def test_who_trickles_has_stalled(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, rate=1000.0)
    site.downloader = Downloader(timing=STALLS)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(UnavailableError, match="sent nothing") as raised:
            await site.get(url, check=CONTENT)
    assert is_one_line(raised.value)


async def test_the_wrong_checksum_is_refused(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT)
    with pytest.raises(DownloadError, match="whose sha256 is") as raised:
        await site.get(url, check=sha256(b"other"))
    assert is_one_line(raised.value)
    assert site.names == set()
    assert len(site.shop.asked) == 1


async def test_what_was_good_stays_when_its_successor_is_not(site: Site) -> None:
    site.path.write_bytes(b"good")
    with pytest.raises(DownloadError):
        await site.get(site.shop.offer("/kernel", CONTENT), check=sha256(b"other"))
    assert site.path.read_bytes() == b"good"


@pytest.mark.parametrize(
    ("status", "words"), [(404, "has no such file"), (410, "has taken"), (403, "answers 403"), (400, "sorry")]
)
async def test_who_refuses_is_asked_once(site: Site, status: int, words: str) -> None:
    with pytest.raises(DownloadError, match=words) as raised:
        await site.get(site.shop.offer("/kernel", status=status), check=FirstUse())
    assert is_one_line(raised.value)
    assert len(site.shop.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_who_is_busy_is_asked_again(site: Site, status: int) -> None:
    url = site.shop.offer("/kernel", CONTENT, status=status, times=2)
    await site.get(url, check=CONTENT)
    assert [f"answers {status}" in text for text in site.troubles] == [True, True]


async def test_who_asks_for_more_time_than_there_is_is_not_asked_again(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, status=503, retry_after="86400")
    with pytest.raises(UnavailableError, match="answers 503") as raised:
        await site.get(url, check=CONTENT)
    assert raised.value.after == 86400
    assert len(site.shop.asked) == 1


async def test_who_does_not_listen_is_told_of_with_what_to_do(site: Site) -> None:
    url = "http://127.0.0.1:1/kernel"
    with pytest.raises(
        UnavailableError, match=r"Connection refused; check this host's internet connection$"
    ) as raised:
        await site.get(url, check=CONTENT)
    assert is_one_line(raised.value)
    with pytest.raises(UnavailableError, match="has no address in DNS") as raised:
        await site.get("http://publisher.invalid/kernel", check=CONTENT)
    assert is_one_line(raised.value, "publisher.invalid")


async def test_mirrors_are_asked_in_their_order(site: Site) -> None:
    shop = site.shop
    urls = [
        shop.offer("/page", html=True),
        shop.offer("/wrong", b"wrong"),
        shop.offer("/busy", status=503),
        shop.offer("/kernel", CONTENT),
        shop.offer("/last", CONTENT),
    ]
    got = await site.get(*urls, check=CONTENT)
    assert got.source == urls[3]
    assert [asked.path for asked in shop.asked] == ["/page", "/wrong", "/busy", "/busy", "/kernel"]


TRICKLES = replace(FAST, slow=0.5, least_rate=100_000)


async def test_who_trickles_is_passed_over(site: Site) -> None:
    """Each piece comes in time, but a mirror has the file sooner than in five minutes."""
    urls = (site.shop.offer("/slow", CONTENT, rate=10_000.0), site.shop.offer("/kernel", CONTENT))
    site.downloader = Downloader(timing=TRICKLES)
    got = await site.get(*urls, check=CONTENT)
    assert got.source == urls[1]
    assert len(site.shop.asked_for("/slow")) == 2
    assert "sent fewer than 100000 bytes per second for 0 seconds; it is asked" in site.troubles[0]


async def test_the_owner_s_own_limit_is_no_trickle(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT[:200_000])
    site.downloader = Downloader(rate=80_000, timing=TRICKLES)
    await site.get(url, check=CONTENT[:200_000])
    assert len(site.shop.asked) == 1


async def test_the_faults_of_all_addresses_are_told(site: Site) -> None:
    """What a mirror did wrong stays to be seen while, and after, the next address cannot be reached."""
    wrong, gone = site.shop.offer("/wrong", b"wrong"), "http://publisher.invalid/kernel"
    with pytest.raises(DownloadError) as raised:
        await site.get(wrong, gone, check=CONTENT)
    for text in (*site.troubles, str(raised.value)):
        assert text.isprintable()
        assert re.match(rf"{NAME}: 127\.0\.0\.1:\d+ sent a file whose sha256 is .*; do not use it", text)
        assert "Another address: publisher.invalid has no address in DNS; check" in text
    assert not isinstance(raised.value, UnavailableError)
    loading = [one.trouble for one in site.reports if one.state is State.LOADING]
    assert "sent a file whose sha256 is" in loading[-1]


HUNG_UP, NO_DNS = UnavailableError(f"{NAME}: b hung up; wait"), UnavailableError(f"{NAME}: c; check DNS")
WRONG, UNSIGNED = (
    DownloadError(f"{NAME}: a is wrong; correct it"),
    SumsError("http://d/SUMS: bad; do not use it"),
)


@pytest.mark.parametrize(
    ("faults", "kind", "text"),
    [
        ([HUNG_UP], UnavailableError, str(HUNG_UP)),
        ([HUNG_UP, HUNG_UP], UnavailableError, str(HUNG_UP)),
        ([HUNG_UP, NO_DNS], UnavailableError, f"{HUNG_UP}. Another address: c; check DNS"),
        ([HUNG_UP, WRONG], DownloadError, f"{WRONG}. Another address: b hung up; wait"),
        ([NO_DNS, UNSIGNED], SumsError, f"{UNSIGNED}. Another address: c; check DNS"),
    ],
)
def test_faults_are_put_together_the_worst_first(
    faults: list[DownloadError | SumsError], kind: type[Exception], text: str
) -> None:
    found = together(NAME, faults)
    assert (type(found), str(found)) == (kind, text)


async def test_an_expired_second_address_is_asked_for_again_at_the_first(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, truncate=1_000_000, times=1, expiring=True)
    await site.get(url, check=CONTENT)
    first, second = site.shop.asked_for("/kernel")
    assert second.start > first.start == 0
    assert len(site.shop.asked) == 4


async def test_a_file_comes_by_tls(site: Site) -> None:
    site.shop.offer("/kernel", CONTENT)
    await site.get(site.shop.url("/kernel", tls=True), check=CONTENT)
    assert site.shop.asked[0].tls


@pytest.mark.parametrize(
    ("fault", "words"),
    [("expired", "expired"), ("other name", "localhost"), ("self-signed", "self-signed certificate")],
)
async def test_a_bad_certificate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, words: str
) -> None:
    with publisher(tmp_path, fault) as shop:
        monkeypatch.setenv("SSL_CERT_FILE", str(shop.authority.file))
        site = Site(tmp_path, shop)
        shop.offer("/kernel", CONTENT)
        with pytest.raises(DownloadError, match=f"has no valid certificate .*{words}.*clock") as raised:
            await site.get(shop.url("/kernel", tls=True), check=CONTENT)
    assert is_one_line(raised.value, "localhost:")
    assert not shop.asked


async def test_the_factory_builds_for_longer_than_it_is_waited_for(site: Site) -> None:
    url = site.shop.offer("/kernel", CONTENT, builds=1.0)
    await site.get(url, check=FirstUse(), builds=True)
    states = [one.state for one in site.reports if one.state is not State.QUEUED]
    assert states[:2] == [State.BUILDING, State.BUILDING]
    assert states[-1] is State.LOADING
    assert len(site.shop.asked) > 2
    assert not any(one.trouble for one in site.reports)


async def test_the_factory_refuses_with_its_own_words(site: Site) -> None:
    with pytest.raises(DownloadError, match=r"answers 400 Bad Request \(sorry\)"):
        await site.get(site.shop.offer("/kernel", status=400), check=FirstUse(), builds=True)


async def test_credentials_are_sent_and_never_shown(site: Site) -> None:
    site.shop.offer("/kernel", CONTENT)
    site.shop.offer("/gone", status=404)
    base = f"http://user:hidden@127.0.0.1:{site.shop.port}"
    got = await site.get(f"{base}/kernel?token=hidden", f"{base}/kernel", check=CONTENT)
    assert site.shop.asked[0].headers["authorization"].startswith("Basic ")
    assert "hidden" not in got.source
    with pytest.raises(DownloadError) as raised:
        await site.get(f"{base}/gone?token=hidden", check=CONTENT)
    assert "hidden" not in str(raised.value)
