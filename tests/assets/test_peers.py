"""Daemons give each other files by their checksums; one that lies, stalls or is away does no harm."""

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from structlog.testing import capture_logs
from support.archives import file, tar_of
from support.fetching import Bench, damage, download_of, running
from support.http_proxy import HttpProxy
from support.publisher import Publisher, publisher
from support.waiting import PATIENCE, until

from iluvatar_pxe.assets.arriving import WITHHELD
from iluvatar_pxe.assets.download.client import Downloader, Timing
from iluvatar_pxe.assets.download.download import download
from iluvatar_pxe.assets.peers import FleetPeers
from iluvatar_pxe.assets.peers_first import TIMING, PeersFirst, why_not
from iluvatar_pxe.assets.source import Source
from iluvatar_pxe.assets.turns import Turns
from iluvatar_pxe.assets.unpack.unpack import unpack
from iluvatar_pxe.catalogue.download import Digest, Download, SumsFile, Unpack
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.errors import DiskError, DownloadError
from iluvatar_pxe.values import replace

KERNEL = bytes(range(256)) * 2000
WRONG = bytes(reversed(KERNEL))
NAME = "talos/abc/v1/kernel-amd64"
ARCHIVE = tar_of([file("one", b"content of one"), file("two", b"content of two")])
PATIENT = replace(TIMING, connect=PATIENCE, first_byte=PATIENCE, stall=PATIENCE, slow=PATIENCE)
QUICK = replace(PATIENT, stall=0.5, slow=0.5)


def digest_of(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def at_peer(data: bytes, algorithm: str = "sha256") -> str:
    return f"/assets/by-{algorithm}/{hashlib.new(algorithm, data).hexdigest()}"


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Publisher]:
    """What answers at a peer's address, and misbehaves."""
    (tmp_path / "peer").mkdir()
    with publisher(tmp_path / "peer") as running_peer:
        yield running_peer


@pytest.fixture
def bench(tmp_path: Path, peer: Publisher) -> Bench:
    return bench_of(tmp_path, peer, PATIENT)


def bench_of(directory: Path, peer: Publisher, timing: Timing) -> Bench:
    made = Bench(directory, unpack, peer_timing=timing)
    made.peers = [place_of(peer)]
    return made


def place_of(peer: Publisher) -> str:
    return f"127.0.0.1:{peer.port}"


def kernel(site: Publisher, **how: Any) -> Download:
    return download_of(NAME, site.offer("/kernel", KERNEL, **how), check=digest_of(KERNEL))


def an_archive(site: Publisher, **how: Any) -> Download:
    url = site.offer("/x.tar", ARCHIVE, **how)
    members = {"one": "x/one", "two": "x/two"}
    return download_of("x/x.tar", url, check=digest_of(ARCHIVE), unpack=Unpack.ARCHIVE, members=members)


def listed(site: Publisher, **how: Any) -> Download:
    """Return a file with a publisher's list of checksums."""
    url = site.offer("/kernel", KERNEL)
    sums = SumsFile((site.offer_sums("/SUMS", "/kernel", **how),), how.get("algorithm", "sha256"), "kernel")
    return download_of(NAME, url, check=sums)


def source(bench: Bench, name: str = NAME) -> str:
    return bench.index.records[name].source


def passed_over(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "peer.passed_over"]


async def content(opened: Source | None) -> bytes:
    assert opened
    try:
        return await opened.read(0, opened.size)
    finally:
        await opened.close()


@pytest.mark.parametrize("make", [kernel, an_archive])
async def test_what_a_peer_has_is_not_downloaded(
    bench: Bench, site: Publisher, peer: Publisher, make: Any
) -> None:
    wanted = make(site)
    peer.offer(f"/assets/by-sha256/{wanted.check.value}", KERNEL if make is kernel else ARCHIVE)
    async with running(bench):
        await bench.get(wanted)
    assert (site.asked, source(bench, wanted.name)) == ([], f"peer {place_of(peer)}")
    assert [one.source for one in bench.commands.files()] == [f"peer {place_of(peer)}"]


@pytest.mark.parametrize(
    ("how", "told", "kept"),
    [
        ({"content": WRONG}, "sent a file whose sha256 is", False),
        ({"content": KERNEL[:-9]}, "sent a file whose sha256 is", False),
        ({"content": b""}, "sent an empty file", False),
        ({"content": KERNEL, "truncate": 200_000}, "hung up before the end", True),
        ({"content": WRONG, "truncate": 200_000}, "hung up before the end", True),
        ({"content": KERNEL * 9, "sized": False}, "does not tell the size", False),
        ({"content": b"x", "claims": 1 << 50}, "no space left in", False),
        ({"content": KERNEL, "html": True}, "sent a web page", False),
        ({"content": KERNEL, "stall": 200_000}, "sent nothing for 0 seconds", True),
        ({"content": KERNEL, "rate": 20_000}, "sent fewer than 100000 bytes per second", True),
    ],
)
async def test_a_peer_that_lies_or_stalls_is_told_of_and_passed_over(
    tmp_path: Path, site: Publisher, peer: Publisher, how: dict[str, Any], told: str, *, kept: bool
) -> None:
    bench = bench_of(tmp_path, peer, QUICK if how.keys() & {"stall", "rate"} else PATIENT)
    peer.offer(at_peer(KERNEL), **how)
    with capture_logs() as logs:
        async with running(bench):
            await bench.get(kernel(site))
    assert bench.content(NAME) == KERNEL
    assert source(bench) == site.url("/kernel")
    (line,) = passed_over(logs)
    assert line["peer"] == place_of(peer)
    assert told in line["why"]
    assert "\n" not in line["why"]
    first = site.asked_for("/kernel")[0]
    assert bool(first.start) is kept
    assert "if-range" not in first.headers


async def test_a_peer_that_redirects_leads_nowhere(bench: Bench, site: Publisher) -> None:
    elsewhere = site.offer("/elsewhere", KERNEL)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method = (await reader.readuntil(b"\r\n\r\n")).split()[0]
        status = "200 OK" if method == b"HEAD" else f"302 Found\r\nLocation: {elsewhere}"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        bench.peers = [f"127.0.0.1:{server.sockets[0].getsockname()[1]}"]
        with capture_logs() as logs:
            async with running(bench):
                await bench.get(kernel(site))
    assert (site.asked_for("/elsewhere"), source(bench)) == ([], site.url("/kernel"))
    assert "answers 302 Found" in passed_over(logs)[0]["why"]


async def test_a_peer_that_sent_something_else_is_not_asked_again_for_that(
    site: Publisher, peer: Publisher, bench: Bench
) -> None:
    peer.offer(at_peer(KERNEL), WRONG)
    async with running(bench):
        await bench.want(kernel(site, truncate=100_000, times=4))
        await until(lambda: bench.commands.files()[0].failures)
        bench.commands.fetch([NAME])
        await bench.reach(NAME, State.READY)
    assert [one.method for one in peer.asked] == ["HEAD", "GET"]


async def test_the_next_peer_goes_on_where_the_first_one_hung_up(
    bench: Bench, site: Publisher, peer: Publisher, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with publisher(tmp_path / "other") as other:
        bench.peers.append(place_of(other))
        peer.offer(at_peer(KERNEL), KERNEL, truncate=200_000)
        other.offer(at_peer(KERNEL), KERNEL)
        async with running(bench):
            await bench.get(kernel(site))
        assert [one.start > 0 for one in other.asked] == [False, True]
    assert (site.asked, source(bench)) == ([], f"peer {place_of(other)}")


async def test_peers_are_asked_without_the_proxy(
    bench: Bench, site: Publisher, peer: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.offer(at_peer(KERNEL), KERNEL)
    async with HttpProxy().listen() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with running(bench):
            await bench.get(kernel(site))
    assert (proxy.asked, source(bench)) == ([], f"peer {place_of(peer)}")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_peer_is_asked_by_what_the_publishers_list_says(
    bench: Bench, site: Publisher, peer: Publisher, algorithm: Literal["sha256", "sha512"]
) -> None:
    peer.offer(at_peer(KERNEL, algorithm), KERNEL)
    async with running(bench):
        await bench.get(listed(site, algorithm=algorithm))
        asked = Digest(algorithm, hashlib.new(algorithm, KERNEL).hexdigest())
        assert await content(await bench.offered.open(asked)) == KERNEL
    assert [one.path for one in site.asked] == ["/SUMS"]


async def test_an_earlier_list_counts_where_the_publisher_cannot_be_reached(
    bench: Bench, site: Publisher, peer: Publisher
) -> None:
    wanted = listed(site)
    async with running(bench):
        await bench.get(wanted)
        peer.offer(at_peer(KERNEL), KERNEL)
        site.offers["/SUMS"].status = site.offers["/kernel"].status = 404
        (bench.assets / NAME).unlink()
        await bench.store.refresh()
        await until(lambda: source(bench) == f"peer {place_of(peer)}")
    assert bench.content(NAME) == KERNEL


async def test_another_version_is_not_checked_by_an_earlier_list(bench: Bench, site: Publisher) -> None:
    wanted = listed(site)
    async with running(bench):
        await bench.get(wanted)
        site.offers["/SUMS"].status = 404
        bench.wants.set(replace(wanted, version="v2"))
        progress = await bench.reach(NAME, State.WAITING)
    assert "has no such file (404)" in progress.trouble


async def test_the_original_of_an_archive_is_kept_for_peers_and_goes_with_it(
    bench: Bench, site: Publisher
) -> None:
    wanted = an_archive(site)
    async with running(bench):
        await bench.get(wanted)
        assert await content(await bench.offered.open(digest_of(ARCHIVE))) == ARCHIVE
        assert await content(await bench.offered.open(digest_of(b"content of one"))) == b"content of one"
        for _ in range(2):
            await bench.get(kernel(site))
            await bench.want(replace(kernel(site), name="other"))
        (left,) = [one for one in await bench.commands.leftovers() if one.name == wanted.name]
        assert left.size == len(ARCHIVE) + 2 * len(b"content of one")
        await bench.commands.remove([left])
        assert await bench.offered.open(digest_of(ARCHIVE)) is None
    assert list((bench.assets / ".originals").iterdir()) == []


async def test_no_original_is_kept_where_there_is_no_other_daemon(bench: Bench, site: Publisher) -> None:
    bench.peers.clear()
    async with running(bench):
        await bench.get(an_archive(site))
        await until(lambda: all(one.job is None for one in bench.fetcher.wanted.values()))
        assert await bench.offered.open(digest_of(ARCHIVE)) is None
    assert not (bench.assets / ".originals").exists()


async def test_a_damaged_original_is_given_to_nobody_and_found(bench: Bench, site: Publisher) -> None:
    wanted = an_archive(site)
    async with running(bench):
        await bench.get(wanted)
        (original,) = (bench.assets / ".originals").iterdir()
        original.write_bytes(bytes(len(ARCHIVE)))
        with capture_logs() as logs:
            assert await bench.offered.open(digest_of(ARCHIVE)) is None
        assert [line["event"] for line in logs] == ["asset.original"]
        bench.commands.verify([wanted.name])
        await until(lambda: bench.index.records[wanted.name].original is None)
        await bench.reach(wanted.name, State.READY)
        (status,) = bench.commands.files()
        assert status.fault.startswith(f"{original}: was damaged, and was removed")
    assert len(site.asked) == 1
    assert not original.exists()


async def test_an_original_that_was_only_touched_is_given_once_it_is_verified(
    bench: Bench, site: Publisher
) -> None:
    wanted = an_archive(site)
    async with running(bench):
        await bench.get(wanted)
        (original,) = (bench.assets / ".originals").iterdir()
        original.touch()
        bench.commands.verify([wanted.name])
        await until(lambda: bench.fetcher.wanted[wanted.name].work is None)
        assert await content(await bench.offered.open(digest_of(ARCHIVE))) == ARCHIVE
        (status,) = bench.commands.files()
    assert status.fault == ""


def remove(bench: Bench, _: str) -> None:
    (bench.assets / "x/two").unlink()


def damage_and_verify(bench: Bench, name: str) -> None:
    damage(bench.assets / "x/two")
    bench.commands.verify([name])


@pytest.mark.parametrize("spoil", [remove, damage_and_verify])
async def test_what_was_unpacked_is_unpacked_again_from_the_original(
    bench: Bench, site: Publisher, spoil: Callable[[Bench, str], None]
) -> None:
    wanted = an_archive(site)
    async with running(bench):
        await bench.get(wanted)
        site.offers.clear()
        with capture_logs() as logs:
            spoil(bench, wanted.name)
            await bench.store.refresh()
            await until(lambda: [line for line in logs if line["event"] == "asset.ready"])
        await bench.reach(wanted.name, State.READY)
        assert bench.content("x/two") == b"content of two"
        assert await content(await bench.offered.open(digest_of(ARCHIVE))) == ARCHIVE
    assert len(site.asked) == 1


async def test_what_arrives_from_the_publisher_is_passed_on(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        await bench.want(kernel(site, rate=2_000_000))
        await until(lambda: bench.progress(NAME).done > WITHHELD)
        assert await content(bench.fetcher.passing_on(digest_of(KERNEL))) == KERNEL


async def test_what_arrives_from_a_peer_is_not_passed_on(
    bench: Bench, site: Publisher, peer: Publisher
) -> None:
    peer.offer(at_peer(KERNEL), KERNEL, rate=1_000_000)
    async with running(bench):
        await bench.want(kernel(site))
        await until(lambda: bench.progress(NAME).done > WITHHELD)
        assert bench.progress(NAME).state is State.LOADING
        assert await bench.offered.open(digest_of(KERNEL)) is None
        await bench.reach(NAME, State.READY)


LOOK_UP = """
import asyncio, sys
from iluvatar_pxe.assets.peers import FleetPeers
from iluvatar_pxe.catalogue.download import Digest
hosts, port, value = sys.argv[1].split(), int(sys.argv[2]), sys.argv[3]
peers = FleetPeers(lambda: hosts, port, lambda: "lab.home.arpa")
print(*(peer.name for peer in asyncio.run(peers.having(Digest("sha256", value)))))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: names of its own")
async def test_peers_are_found_by_their_names_in_the_fleets_domain_and_in_mdns(
    peer: Publisher, tmp_path: Path
) -> None:
    peer.offer(at_peer(KERNEL), KERNEL)
    names = tmp_path / "hosts"
    names.write_text("127.0.0.1 pi1 pi2.lab.home.arpa pi3.local\n192.0.2.1 pi4\n")
    bind = 'mount --bind "$0" /etc/hosts && exec "$@"'
    look_up = [sys.executable, "-c", LOOK_UP, "pi1 pi2 pi3 pi4 pi5", str(peer.port), digest_of(KERNEL).value]
    command = ["unshare", "--mount", "sh", "-c", bind, str(names), *look_up]
    ended = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.stdout.splitlines()[-1] == "pi1 pi2 pi3", ended.stderr


@pytest.mark.parametrize("host", ["localhost", "no-such-host.invalid"])
async def test_peers_have_host_names(peer: Publisher, host: str) -> None:
    peer.offer(at_peer(KERNEL), KERNEL)
    peers = FleetPeers(lambda: [host], peer.port, lambda: "lab.home.arpa")
    found = [one.url for one in await peers.having(digest_of(KERNEL))]
    assert found == ([peer.url(at_peer(KERNEL))] if host == "localhost" else [])


async def test_a_peer_at_an_impossible_port_counts_as_absent(bench: Bench, site: Publisher) -> None:
    bench.peers.append("127.0.0.1:99999")
    async with running(bench):
        await bench.get(kernel(site))


async def test_the_rate_limit_of_the_internet_connection_is_not_for_peers(
    site: Publisher, peer: Publisher, tmp_path: Path, bench: Bench
) -> None:
    limited = Downloader(rate=1000)
    peers = FleetPeers(lambda: [place_of(peer)], 8080)
    peer.offer(at_peer(KERNEL), KERNEL)
    first = PeersFirst(peers, bench.index, partial(download, downloader=limited), limited)
    turns = Turns(1)
    async with asyncio.timeout(len(KERNEL) / 10_000):
        got = await first(kernel(site), tmp_path, lambda _: None, turns.turn())
    assert got.path.read_bytes() == KERNEL


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            DownloadError("a: has another checksum; do not use it, or correct what is pinned"),
            "a: has another checksum; see that daemon's log, and run 'iluvatar-pxe assets verify' there",
        ),
        (
            DownloadError("a: is a page; it was cut; log in to this network"),
            "a: is a page; it was cut; see that daemon's log, and run 'iluvatar-pxe assets verify' there",
        ),
        (DiskError("a: no space left; make room"), "a: no space left; make room"),
    ],
)
def test_what_is_to_be_done_about_a_peer_is_not_what_helps_at_a_publisher(
    error: DownloadError, why: str
) -> None:
    assert why_not(error) == why
