"""The tests' publisher says and does what its switches promise: a plain client sees each fault."""

import ssl
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import aiohttp
import pysequoia
import pytest
from multidict import CIMultiDictProxy
from support.publisher import HTML, Publisher, publisher
from support.publisher_tls import Fault
from support.waiting import PATIENCE

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Publisher]:
    with publisher(tmp_path) as running:
        yield running


async def ask(
    url: str, headers: dict[str, str] | None = None, trust: Path | None = None
) -> tuple[int, CIMultiDictProxy[str], bytes]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    context = ssl.create_default_context(cafile=trust) if trust else False
    async with (
        aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
        session.get(url, headers=headers, allow_redirects=False, ssl=context) as response,
    ):
        return response.status, response.headers, await response.read()


async def test_it_sends_a_file_in_whole_and_in_part_and_writes_down_what_was_asked(shop: Publisher) -> None:
    url = shop.offer("/file", CONTENT)
    status, headers, body = await ask(url)
    assert (status, body) == (200, CONTENT)
    part = await ask(url, {"Range": "bytes=1000-", "If-Range": headers["ETag"]})
    assert (part[0], part[2]) == (206, CONTENT[1000:])
    assert part[1]["Content-Range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    other = await ask(url, {"Range": "bytes=1000-", "If-Range": '"other"'})
    assert (other[0], other[2]) == (200, CONTENT)
    assert [asked.start for asked in shop.asked_for("/file")] == [0, 1000, 1000]
    assert (await ask(url, {"Range": f"bytes={len(CONTENT)}-"}))[0] == 416


async def test_it_sends_a_file_from_the_disk(shop: Publisher, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(CONTENT)
    url = shop.offer("/file", tmp_path / "big")
    assert (await ask(url))[2] == CONTENT
    assert (await ask(url, {"Range": "bytes=70000-"}))[2] == CONTENT[70000:]


@pytest.mark.parametrize("how", [{"truncate": 1000}, {"claims": len(CONTENT) + 5}])
async def test_it_hangs_up_too_soon_as_often_as_it_is_told(shop: Publisher, how: dict[str, int]) -> None:
    url = shop.offer("/file", CONTENT, times=1, **how)
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask(url)
    assert (await ask(url))[2] == CONTENT


async def test_it_claims_fewer_bytes(shop: Publisher) -> None:
    assert (await ask(shop.offer("/file", CONTENT, claims=10)))[2] == CONTENT[:10]


async def test_it_names_no_length(shop: Publisher) -> None:
    _, headers, body = await ask(shop.offer("/file", CONTENT, sized=False))
    assert body == CONTENT
    assert "Content-Length" not in headers


async def test_it_ignores_ranges(shop: Publisher) -> None:
    assert (await ask(shop.offer("/file", CONTENT, ranges=False), {"Range": "bytes=5-"}))[0] == 200


async def test_it_changes_the_file_between_two_answers(shop: Publisher) -> None:
    url = shop.offer("/file", b"old", then=b"new", etag="constant")
    first, second = await ask(url), await ask(url)
    assert (first[2], second[2]) == (b"old", b"new")
    assert first[1]["ETag"] == second[1]["ETag"] == '"constant"'


async def test_it_answers_with_pages_errors_and_redirects(shop: Publisher) -> None:
    status, headers, body = await ask(shop.offer("/page", CONTENT, html=True))
    assert (status, headers["Content-Type"], body) == (200, "text/html", HTML)
    status, headers, _ = await ask(shop.offer("/busy", CONTENT, status=503, retry_after="7"))
    assert (status, headers["Retry-After"]) == (503, "7")
    status, headers, _ = await ask(shop.offer("/circle", redirect="/circle"))
    assert (status, headers["Location"]) == (302, "/circle")
    assert (await ask(shop.url("/nothing")))[0] == 404


async def test_its_second_address_expires_at_once(shop: Publisher) -> None:
    url = shop.offer("/file", CONTENT, expiring=True)
    _, headers, _ = await ask(url)
    again = shop.url(headers["Location"])
    assert (await ask(again))[2] == CONTENT
    assert (await ask(again))[0] == 403


async def test_it_stalls_and_builds(shop: Publisher) -> None:
    with pytest.raises(TimeoutError):
        await ask_shortly(shop.offer("/stalls", CONTENT, stall=1000))
    with pytest.raises(TimeoutError):
        await ask_shortly(shop.offer("/built", CONTENT, builds=1.0))
    assert (await ask(shop.url("/built")))[2] == CONTENT  # the building went on


async def ask_shortly(url: str) -> bytes:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as session,
        session.get(url) as response,
    ):
        return await response.read()


async def test_it_lists_right_and_wrong_checksums(shop: Publisher) -> None:
    shop.offer("/pool/file", b"")
    _, _, right = await ask(shop.offer_sums("/SUMS", "/pool/file"))
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert right.decode() == f"{empty} *file\n"
    _, _, wrong = await ask(shop.offer_sums("/SUMS", "/pool/file", wrong=True))
    assert wrong.endswith(b" *file\n")
    assert wrong != right


@pytest.mark.parametrize("wrong", [False, True])
async def test_it_signs_a_list_of_checksums_rightly_and_wrongly(shop: Publisher, *, wrong: bool) -> None:
    key = pysequoia.Tsk.generate("Publisher <publisher@example.org>")
    shop.offer("/SUMS", b"sums")
    _, _, signature = await ask(shop.offer_signature("/SUMS.gpg", "/SUMS", key, wrong=wrong))

    def check() -> None:
        signed = pysequoia.Sig.from_bytes(signature)
        pysequoia.verify(b"sums", lambda _: [key.extract_certificate()], signature=signed)

    with pytest.raises(RuntimeError) if wrong else nullcontext():
        check()


async def test_its_certificate_is_good(shop: Publisher) -> None:
    shop.offer("/file", CONTENT)
    assert (await ask(shop.url("/file", tls=True), trust=shop.authority.file))[2] == CONTENT
    assert shop.asked[0].tls


@pytest.mark.parametrize("fault", ["expired", "other name", "self-signed"])
async def test_its_certificate_is_bad(tmp_path: Path, fault: Fault) -> None:
    with publisher(tmp_path, fault) as running:
        running.offer("/file", CONTENT)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ask(running.url("/file", tls=True), trust=running.authority.file)
