"""Pull-through: a file that is being downloaded is passed on meanwhile, and its end only once it is verified."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fetching import Bench, download_of, running
from support.one_thread import OneThread, begin, cancel, descriptors_of
from support.publisher import Publisher
from support.waiting import PATIENCE, until

from iluvatar_pxe.assets.arriving import WITHHELD, Arrival, ArrivingSource
from iluvatar_pxe.assets.fetcher import SIZE_SECONDS
from iluvatar_pxe.assets.job import UNWANTED, Job
from iluvatar_pxe.assets.wanted import WantedFile
from iluvatar_pxe.catalogue.download import Digest
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.errors import AssetError

KERNEL = b"".join(number.to_bytes(4, "big") for number in range(100_000))
NAME = "talos/abc/v1/kernel-amd64"
PIECE = 32 << 10


async def arriving(bench: Bench) -> ArrivingSource:
    await until(lambda: NAME in bench.fetcher.progress)
    source = await bench.fetcher.arriving(NAME)
    assert source
    return source


async def read_all(source: ArrivingSource) -> bytes:
    content = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while len(content) < source.size:
                content += await source.read(len(content), PIECE)
    finally:
        await source.close()
    return content


async def test_many_readers_get_one_download_while_it_arrives(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=PIECE)))
        sources = [await arriving(bench) for _ in range(10)]
        assert bench.progress(NAME).state is not State.READY
        site.go_on()
        assert all(content == KERNEL for content in await asyncio.gather(*map(read_all, sources)))
        await bench.reach(NAME, State.READY)
        assert await bench.fetcher.arriving(NAME) is None, "it is in the store now"
    assert len(site.asked) == 1


async def test_the_end_is_withheld_until_it_is_verified(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=len(KERNEL) - 1)))
        source = await arriving(bench)
        before = len(KERNEL) - WITHHELD
        assert await source.read(0, before) == KERNEL[:before]
        await until(lambda: bench.progress(NAME).done == len(KERNEL) - 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await source.read(before, 1)
        await source.close()


async def test_what_turns_out_to_be_faulty_never_ends(bench: Bench, site: Publisher) -> None:
    wrong = Digest("sha256", hashlib.sha256(b"another").hexdigest())
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=PIECE), check=wrong))
        source = await arriving(bench)
        assert await source.read(0, PIECE) == KERNEL[:PIECE]
        site.go_on()
        with pytest.raises(AssetError, match=r"its download failed: .*sha256"):
            await read_all(source)
        await bench.reach(NAME, State.WAITING)
        assert not [path for path in (bench.assets / "talos").rglob("kernel*") if path.is_file()]


async def test_what_nobody_wants_any_more_ends(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=PIECE)))
        source = await arriving(bench)
        assert await source.read(0, PIECE) == KERNEL[:PIECE]
        bench.wants.set()
        with pytest.raises(AssetError, match="nobody wants it any more"):
            await read_all(source)


async def test_nothing_else_arrives(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=0)))
        await until(lambda: NAME in bench.fetcher.progress)
        assert await bench.fetcher.arriving("another") is None


def arrival_of(tmp_path: Path) -> tuple[Arrival, Path]:
    part = tmp_path / "kernel.part"
    part.write_bytes(KERNEL)
    return Arrival("kernel", part), part


async def test_a_download_that_begins_again_ends_for_its_readers(tmp_path: Path) -> None:
    arrival, _ = arrival_of(tmp_path)
    arrival.reach(200_000, len(KERNEL))
    source = ArrivingSource(arrival, len(KERNEL))
    assert await source.read(0, PIECE) == KERNEL[:PIECE]
    arrival.reach(0, len(KERNEL))
    arrival.reach(300_000, len(KERNEL))
    with pytest.raises(AssetError, match="had to begin again"):
        await source.read(PIECE, PIECE)
    await source.close()


async def test_a_file_that_is_moved_before_it_is_opened_is_found(tmp_path: Path) -> None:
    arrival, part = arrival_of(tmp_path)
    arrival.reach(len(KERNEL), len(KERNEL))
    source = ArrivingSource(arrival, len(KERNEL))
    place = part.rename(tmp_path / "kernel")
    reading = asyncio.create_task(read_all(source))
    await asyncio.sleep(0)
    arrival.verify(len(KERNEL), place)
    assert await reading == KERNEL


async def test_nothing_stays_open_whenever_who_reads_or_closes_is_cancelled(tmp_path: Path) -> None:
    arrival, part = arrival_of(tmp_path)
    arrival.reach(len(KERNEL), len(KERNEL))
    source, thread = ArrivingSource(arrival, len(KERNEL)), OneThread()
    reading = await begin(source.read(0, PIECE))
    thread.catch_up()
    await cancel(reading)
    await source.close()
    await until(lambda: descriptors_of(part) == 0)
    assert await source.read(0, PIECE) == KERNEL[:PIECE]
    with thread.busy():
        await cancel(await begin(source.close()))
    await until(lambda: descriptors_of(part) == 0)


async def test_a_size_that_was_a_lie_is_refused(tmp_path: Path) -> None:
    arrival, part = arrival_of(tmp_path)
    arrival.reach(PIECE, len(KERNEL) + 1)
    source = ArrivingSource(arrival, len(KERNEL) + 1)
    arrival.verify(len(KERNEL), part)
    with pytest.raises(AssetError):
        await read_all(source)


@given(st.lists(st.integers(0, 400_000)), st.integers(1, 400_000))
def test_never_more_than_what_is_there_and_never_the_end(reached: list[int], size: int) -> None:
    arrival = Arrival("kernel", Path("kernel.part"))
    for done in reached:
        arrival.reach(min(done, size), size)
        assert arrival.available <= arrival.done
        assert arrival.available <= max(0, size - WITHHELD)
    arrival.verify(size, Path("kernel"))
    assert arrival.available == size


async def test_who_asks_while_the_daemon_starts_gets_it_as_it_comes(bench: Bench, site: Publisher) -> None:
    """What is wanted is known before the sockets are open, and fetched only then."""
    bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
    await bench.fetcher.look()
    asking = asyncio.create_task(bench.fetcher.arriving(NAME))
    await asyncio.sleep(0)  # it has asked
    async with running(bench), asyncio.timeout(SIZE_SECONDS / 2):
        source = await asking
        assert source
        assert await read_all(source) == KERNEL


async def test_who_waits_hears_of_a_download_that_was_given_up_before_it_began(bench: Bench) -> None:
    one = WantedFile(download_of(NAME, "https://a.example/kernel"))
    async with asyncio.TaskGroup() as group:
        job = Job(one.download, bench.means, lambda: None)
        one.begin(group, job.run, job)
        await one.give_up()
    async with asyncio.timeout(PATIENCE):
        assert await job.arrival.sized() is None
    assert job.arrival.failure == UNWANTED
