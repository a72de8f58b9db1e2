"""The fetcher: what is wanted arrives, once, and what was good stays in force."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.archives import COMPRESSIONS, file, tar_of
from support.fetching import Bench, download_of, running
from support.publisher import Publisher
from support.waiting import until

from iluvatar_pxe.assets.download.download import Got
from iluvatar_pxe.assets.fetcher import BY_HAND
from iluvatar_pxe.assets.index import ADOPTED
from iluvatar_pxe.assets.placing import Done
from iluvatar_pxe.assets.unpack.unpack import unpack
from iluvatar_pxe.catalogue.download import Digest, Download, Unpack
from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.provisioning.pins import OWN_LOCK

KERNEL = b"kernel" * 50_000
OTHER = b"another" * 40_000
NAME = "talos/abc/v1/kernel-amd64"
NEWER = "talos/abc/v2/kernel-amd64"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pinned(data: bytes) -> Digest:
    return Digest("sha256", sha(data))


def events(logs: list[Any], *names: str) -> list[Any]:
    return [line for line in logs if line["event"] in names]


async def test_what_is_wanted_arrives_and_is_pinned(bench: Bench, site: Publisher) -> None:
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
            await bench.reach(NAME, State.READY)
            assert bench.content(NAME) == KERNEL
            assert NAME in bench.store.ready
            assert bench.fetcher.coming == {}
    assert bench.pinned == {NAME: sha(KERNEL)}
    record = bench.index.records[NAME]
    assert (record.sha256, record.size, record.source) == (sha(KERNEL), len(KERNEL), site.url("/kernel"))
    wanted, ready = events(logs, "asset.wanted", "asset.ready", "asset.trouble")
    assert (wanted["event"], wanted["by"]) == ("asset.wanted", "layers/arda.yaml")
    assert (ready["event"], ready["bytes"], ready["source"]) == (
        "asset.ready",
        len(KERNEL),
        site.url("/kernel"),
    )


@pytest.mark.parametrize(("fetch", "state"), [(True, State.QUEUED), (False, State.MISSING)])
def test_what_is_wanted_counts_as_coming_before_it_was_looked_for(
    tmp_path: Path, state: State, *, fetch: bool
) -> None:
    """A machine that asks while the daemon starts, or just after a commit, waits for it."""
    bench = Bench(tmp_path, fetch=fetch)
    assert bench.fetcher.coming == {}
    bench.wants.set(download_of(NAME, "https://a.example/kernel"))
    assert bench.fetcher.coming == {NAME: Progress(state=state)}


async def test_only_whole_files_are_served(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=100_000)))
        await until(lambda: NAME in bench.fetcher.wanted and bench.progress(NAME).done == 100_000)
        await bench.store.refresh()
        assert bench.progress(NAME).state is State.LOADING
        assert bench.progress(NAME).size == len(KERNEL)
        assert not [name for name in bench.store.ready if "kernel" in name]


async def test_a_restart_downloads_nothing_again(tmp_path: Path, site: Publisher) -> None:
    wanted = download_of(NAME, site.offer("/kernel", KERNEL))
    first = Bench(tmp_path)
    first.state.rmdir()
    async with running(first):
        first.wants.set(wanted)
        await first.reach(NAME, State.READY)
        assert first.pinned == {}, "nothing can be kept"
    bench = Bench(tmp_path)
    async with running(bench):
        bench.wants.set(wanted)
        await bench.reach(NAME, State.READY)
        await until(lambda: bench.pinned == {NAME: sha(KERNEL)})
    assert len(site.asked) == 1


async def test_a_restart_goes_on_where_it_was(tmp_path: Path, site: Publisher) -> None:
    wanted = download_of(NAME, site.offer("/kernel", KERNEL, stall=200_000, times=1))
    async with running(Bench(tmp_path)) as first:
        first.wants.set(wanted)
        await until(lambda: NAME in first.fetcher.progress and first.progress(NAME).done > 0)
    async with running(Bench(tmp_path)) as bench:
        bench.wants.set(wanted)
        await bench.reach(NAME, State.READY)
        assert bench.content(NAME) == KERNEL
    beginning, rest = (asked.start for asked in site.asked)
    assert beginning == 0 < rest <= 200_000


@pytest.mark.parametrize("place", [NAME, "talos/abc/v1/.coming/kernel-amd64/kernel-amd64"])
async def test_a_crash_before_a_verified_file_is_known_to_be_in_place(
    tmp_path: Path, site: Publisher, place: str
) -> None:
    wanted = download_of(NAME, site.offer("/kernel", KERNEL))
    async with running(Bench(tmp_path)) as first:
        first.state.rmdir()
        first.wants.set(wanted)
        await first.reach(NAME, State.READY)
    record = first.index.records[NAME].model_copy(update={"gives": {}})
    await first.index.drop([NAME])
    await first.index.expect(NAME, record)
    (first.assets / place).parent.mkdir(exist_ok=True, parents=True)
    (first.assets / NAME).rename(first.assets / place)
    async with running(Bench(tmp_path)) as bench:
        bench.wants.set(wanted)
        await bench.reach(NAME, State.READY)
        await until(lambda: NAME in bench.index.records)
        assert bench.content(NAME) == KERNEL
        assert not bench.index.verified
    assert len(site.asked) == 1


async def test_a_file_that_was_copied_by_hand_stays(bench: Bench, site: Publisher) -> None:
    (bench.assets / NAME).parent.mkdir(parents=True)
    (bench.assets / NAME).write_bytes(b"mine")
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
        await bench.reach(NAME, State.READY)
        (status,) = bench.commands.files()
        assert (status.source, status.checked_at) == (BY_HAND, None)
    assert (bench.content(NAME), site.asked, bench.pinned) == (b"mine", [], {})


async def test_a_file_that_somebody_copies_while_it_is_downloaded_stays(
    bench: Bench, site: Publisher
) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, stall=100_000)))
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done == 100_000)
        (bench.assets / NAME).write_bytes(b"mine")
        await bench.store.refresh()
        await bench.reach(NAME, State.READY)
        assert (bench.content(NAME), bench.commands.files()[0].source) == (b"mine", BY_HAND)


async def test_a_host_without_internet_says_once_what_is_missing_and_how_to_bring_it(
    bench: Bench, site: Publisher
) -> None:
    names = [f"file-{number}" for number in range(3)]
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(*(download_of(name, "http://127.0.0.1:9/file") for name in names))
            for name in names:
                await bench.reach(name, State.WAITING)
            bench.commands.fetch(names)
            await until(lambda: all(one.failures == 1 for one in bench.commands.files()))
    assert site.asked == []
    (line,) = events(logs, "assets.missing")
    assert line["why"] == (
        "file-0 and 2 more are missing, and nothing can be downloaded; it is tried again, and without internet "
        "bring them by: iluvatar-pxe assets import PATH"
    )


async def test_a_file_that_is_removed_is_fetched_again(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
        await bench.reach(NAME, State.READY)
        (bench.assets / NAME).unlink()
        await bench.store.refresh()
        await until(lambda: len(site.asked) == 2 and bench.progress(NAME).state is State.READY)
        assert bench.content(NAME) == KERNEL


async def test_the_newer_of_two_commits_wins(bench: Bench, site: Publisher) -> None:
    old = download_of(NAME, site.offer("/1", KERNEL, stall=150_000))
    new = download_of(NEWER, site.offer("/2", OTHER), version="v2")
    async with running(bench):
        bench.wants.set(old)
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done == 150_000)
        bench.wants.set(new)
        await bench.reach(NEWER, State.READY)
        assert set(bench.fetcher.progress) == {NEWER}
        assert bench.content(NEWER) == OTHER
        site.offers["/1"].stall = None
        bench.wants.set(old)
        await bench.reach(NAME, State.READY)
        assert bench.content(NAME) == KERNEL
    assert [asked.start for asked in site.asked_for("/1")] == [0, 150_000], "what was there of it is kept"


@pytest.mark.parametrize("is_pinned", [False, True], ids=["version", "pin"])
async def test_two_commits_in_quick_succession_while_a_file_arrives(
    bench: Bench, site: Publisher, *, is_pinned: bool
) -> None:
    """Whichever of them is seen, the last one's file is what comes, and nothing else was ever served."""

    def wanted(version: str, content: bytes, **how: Any) -> Download:
        check = pinned(content) if is_pinned else None
        return download_of(NAME, site.offer(f"/{version}", content, **how), version=version, check=check)

    served: list[bytes] = []
    async with running(bench):
        bench.wants.set(wanted("v1", KERNEL, stall=100_000))
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done > 0)
        for first, last, gap in (("v2", "v3", 0), ("v4", "v5", 0.01)):
            bench.keeper._own = AssetsLock()  # as a commit that takes a new version does
            bench.wants.set(wanted(first, OTHER + b"2", rate=1e6))
            await asyncio.sleep(gap)
            bench.wants.set(wanted(last, OTHER, rate=1e6))
            while not (NAME in bench.index.records and bench.index.records[NAME].version == last):
                served += [bench.content(NAME)] if NAME in bench.store.ready else []
                await asyncio.sleep(0.01)
            await bench.reach(NAME, State.READY)
    assert bench.content(NAME) == OTHER
    assert set(served) <= {OTHER}
    assert not list(bench.assets.rglob(".coming/*"))


async def test_the_rest_of_what_nobody_wants_is_dropped(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/1", KERNEL, stall=150_000)))
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done == 150_000)
        for version in ("v2", "v3"):
            name = f"talos/abc/{version}/kernel-amd64"
            bench.wants.set(download_of(name, site.offer(f"/{version}", OTHER), version=version))
            await bench.reach(name, State.READY)
        await until(lambda: not (bench.assets / "talos/abc/v1").exists())


async def test_another_version_under_the_same_name_takes_its_place(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of("k3s", site.offer("/1", KERNEL), check=pinned(KERNEL)))
        await bench.reach("k3s", State.READY)
        bench.wants.set(download_of("k3s", site.offer("/2", OTHER), check=pinned(OTHER), version="v2"))
        await until(lambda: bench.content("k3s") == OTHER)


@pytest.mark.parametrize("check", [pinned(OTHER), None])
async def test_what_contradicts_the_pin_is_refused(
    bench: Bench, site: Publisher, check: Digest | None
) -> None:
    await bench.pins.pin(NAME, sha(OTHER), len(OTHER))
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL), check=check))
            progress = await bench.reach(NAME, State.WAITING)
    assert progress.trouble.startswith(NAME)
    assert [line["why"] for line in events(logs, "asset.trouble")] == [progress.trouble]
    assert not (bench.assets / NAME).exists()
    assert NAME not in bench.index.records


async def test_a_checksum_that_is_pinned_meanwhile_interrupts_nothing(bench: Bench, site: Publisher) -> None:
    url = site.offer("/kernel", KERNEL, rate=400_000)
    async with running(bench):
        bench.wants.set(download_of(NAME, url))
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done)
        bench.wants.set(
            download_of(NAME, url, check=Digest("sha256", sha(KERNEL), first_use=True), size=len(KERNEL))
        )
        await bench.reach(NAME, State.READY)
    assert len(site.asked) == 1


async def test_a_fault_is_told_once_and_the_next_attempt_can_be_had_now(
    bench: Bench, site: Publisher
) -> None:
    wanted = download_of(NAME, site.offer("/kernel", KERNEL, status=404))
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(wanted)
            await bench.reach(NAME, State.WAITING)
            bench.commands.fetch([NAME])
            await until(lambda: len(site.asked) == 2)
            await bench.reach(NAME, State.WAITING)
            site.offers["/kernel"].status = None
            bench.commands.fetch([NAME])
            await bench.reach(NAME, State.READY)
    assert len(events(logs, "asset.trouble")) == 1


async def test_nothing_is_fetched_where_that_is_switched_off(tmp_path: Path, site: Publisher) -> None:
    bench = Bench(tmp_path, fetch=False)
    url = site.offer("/kernel", KERNEL)
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(download_of(NAME, url), download_of(NEWER, url))
            await until(lambda: events(logs, "assets.missing"))
            assert site.asked == []
            bench.commands.fetch([NAME])
            await bench.reach(NAME, State.READY)
            assert bench.progress(NEWER).state is State.MISSING
            await until(lambda: len(events(logs, "assets.missing")) == 2)
    first, second = (line["why"] for line in events(logs, "assets.missing"))
    how = "and [assets] fetch is false; bring them by: iluvatar-pxe assets import PATH"
    assert first == f"{NAME} and 1 more are missing, {how}"
    assert second == f"{NEWER} is missing, {how}"


async def test_four_are_downloaded_at_once(bench: Bench, site: Publisher) -> None:
    names = [f"file-{number}" for number in range(9)]
    async with running(bench):
        bench.wants.set(*(download_of(name, site.offer(f"/{name}", KERNEL, stall=10_000)) for name in names))
        await until(lambda: len(site.asked) == 4)
        await until(lambda: sum(one.done == 10_000 for one in bench.fetcher.progress.values()) == 4)
        assert [one.state for one in bench.fetcher.progress.values()].count(State.QUEUED) == 5
        assert len(site.asked) == 4
        for name in names:
            site.offers[f"/{name}"].stall = None
        bench.wants.set(*(download_of(name, site.url(f"/{name}"), version="v2") for name in names))
        await until(lambda: all(one.state is State.READY for one in bench.fetcher.progress.values()))


async def test_what_another_pin_contradicts_is_not_served_any_more(bench: Bench, site: Publisher) -> None:
    """It stays on the disk, for a commit may go back."""
    old = download_of(NAME, site.offer("/1", KERNEL), check=pinned(KERNEL))
    new = download_of(NAME, site.offer("/2", OTHER, status=404), check=pinned(OTHER))
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(old)
            await bench.reach(NAME, State.READY)
            bench.wants.set(new)
            await bench.reach(NAME, State.WAITING)
            assert NAME not in bench.store.ready
            assert await bench.store.open(NAME) is None
            await bench.store.refresh()
            assert (bench.content(NAME), NAME in bench.store.ready) == (KERNEL, False)
            bench.wants.set(old)
            await bench.reach(NAME, State.READY)
            assert NAME in bench.store.ready
            site.offers["/2"].status = None
            bench.wants.set(new)
            await until(lambda: bench.content(NAME) == OTHER)
            await bench.reach(NAME, State.READY)
            assert NAME in bench.store.ready
    assert len(events(logs, "asset.withheld")) == 2
    assert len(site.asked_for("/1")) == 1


async def test_a_pin_that_is_removed_has_the_file_fetched_anew(tmp_path: Path, site: Publisher) -> None:
    """What was there stays in force until the new one is; a restart in between changes nothing."""
    wanted = download_of(NAME, site.offer("/kernel", KERNEL))
    bench = Bench(tmp_path)
    async with running(bench):
        bench.wants.set(wanted)
        await until(lambda: NAME in bench.index.records and bench.index.records[NAME].pinned)
    site.offers["/kernel"].content, site.offers["/kernel"].status = OTHER, 404
    (bench.state / OWN_LOCK).unlink()
    bench = Bench(tmp_path)
    async with running(bench):
        bench.wants.set(wanted)
        await bench.reach(NAME, State.WAITING)
        assert (bench.content(NAME), NAME in bench.store.ready, bench.pinned) == (KERNEL, True, {})
        site.offers["/kernel"].status = None
        bench.commands.fetch([NAME])
        await bench.reach(NAME, State.READY)
        assert (bench.content(NAME), bench.pinned) == (OTHER, {NAME: sha(OTHER)})


async def test_a_file_that_is_called_like_an_unfinished_one_takes_nobodys_place(
    tmp_path: Path, site: Publisher
) -> None:
    """A version may end with it, whatever the catalogue's fields refuse."""
    archive = COMPRESSIONS["tar.gz"](tar_of([file("one", OTHER)])) + bytes(2000)
    bench = Bench(tmp_path, unpack)
    first = download_of("adv/col", site.offer("/1", KERNEL, rate=300_000))
    second = download_of(
        "adv/col.part", site.offer("/2", archive), unpack=Unpack.ARCHIVE, members={"one": "adv/one"}
    )
    async with running(bench):
        bench.wants.set(first, second)
        await bench.reach(second.name, State.READY)
        await bench.reach(first.name, State.READY)
    assert (bench.content("adv/col"), bench.content("adv/one")) == (KERNEL, OTHER)
    assert bench.index.records["adv/col"].gives["adv/col"].sha256 == sha(KERNEL)


async def test_a_file_on_which_the_daemon_fails_ends_nothing(tmp_path: Path, site: Publisher) -> None:
    """Whatever is raised while a file is fetched, verified or imported: it is told, and all else goes on."""

    def fail(download: Download, file: Path, assets: Path, report: Done) -> None:
        del download, file, assets, report
        raise RecursionError("too deep")

    bench = Bench(tmp_path, fail)
    archive = tar_of([file("one", OTHER)])
    bad = download_of("bad.tar", site.offer("/1", archive), unpack=Unpack.ARCHIVE, members={"one": "one"})
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(bad)
            failed = "bad.tar: this server failed on that; see its log"
            assert (await bench.reach("bad.tar", State.WAITING)).trouble == failed
            (bench.assets / "copy").write_bytes(archive)
            bench.commands.take("bad.tar", bench.assets / "copy", trust=True)
            await until(lambda: bench.commands.files()[0].fault == failed)
            bench.wants.set(bad, download_of(NAME, site.offer("/kernel", KERNEL)))
            await bench.reach(NAME, State.READY)
    assert events(logs, "asset.failed")[0]["error"] == "RecursionError('too deep')"
    assert {line["why"] for line in events(logs, "asset.trouble")} == {failed}


async def test_what_is_recorded_is_read_from_what_is_put_in_place(bench: Bench, tmp_path: Path) -> None:
    stranger = tmp_path / "file"
    stranger.write_bytes(OTHER)
    got = Got(path=stranger, size=len(KERNEL), sha256=sha(KERNEL), source="https://a.example/")
    with pytest.raises(AssetError, match="was changed after it was verified"):
        await bench.placing.put(download_of(NAME), got, lambda _done, _size: None)
    assert NAME not in bench.index.records
    assert not (bench.assets / NAME).exists()


@pytest.mark.parametrize("fault", [{"status": 503, "retry_after": "290"}, {"builds": 60.0}])
async def test_publishers_that_let_others_wait_keep_nobody_from_downloading(
    bench: Bench, site: Publisher, fault: dict[str, Any]
) -> None:
    slow = [
        download_of(f"slow-{n}", site.offer(f"/{n}", KERNEL, **fault), builds="builds" in fault)
        for n in range(6)
    ]
    async with running(bench):
        bench.wants.set(*slow, download_of(NAME, site.offer("/kernel", KERNEL)))
        await bench.reach(NAME, State.READY)
        if "builds" in fault:  # the factory is a public service
            await until(lambda: sorted(bench.progress(one.name).before for one in slow) == [0] * 4 + [4, 5])
            assert sum(bool(site.asked_for(f"/{n}")) for n in range(6)) == 4
        else:
            await until(lambda: all(site.asked_for(f"/{n}") for n in range(6)))
            await until(lambda: State.QUEUED not in {bench.progress(one.name).state for one in slow})


@pytest.mark.parametrize("how", ["command", "request", "hold"])
async def test_what_somebody_waits_for_is_not_behind_slow_publishers(
    bench: Bench, site: Publisher, how: str
) -> None:
    slow = [download_of(f"slow-{n}", site.offer(f"/{n}", KERNEL, stall=10_000)) for n in range(4)]
    async with running(bench):
        bench.wants.set(*slow, download_of(NAME, site.offer("/kernel", KERNEL)))
        await until(lambda: len(site.asked) == 4)
        assert bench.progress(NAME).state is State.QUEUED
        match how:
            case "command":
                bench.commands.fetch([NAME])
            case "request":
                source = await bench.fetcher.arriving(NAME)
                assert source
                await source.close()
            case "hold":
                bench.fetcher.hasten(NAME)
        await bench.reach(NAME, State.READY)


async def test_a_directory_that_cannot_be_written_is_named(bench: Bench, site: Publisher) -> None:
    (bench.assets / "talos").write_bytes(b"a file where a folder is needed")
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
        progress = await bench.reach(NAME, State.WAITING)
        assert progress.trouble.endswith("Not a directory; make it writable")


async def test_a_damaged_index_keeps_nothing_from_being_served(tmp_path: Path, site: Publisher) -> None:
    wanted = download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL))
    async with running(Bench(tmp_path)) as first:
        first.wants.set(wanted)
        await first.reach(NAME, State.READY)
    (first.assets / ".index.json").write_text('{"files": {"x": ')
    async with running(Bench(tmp_path)) as bench:
        bench.wants.set(wanted)
        await bench.reach(NAME, State.READY)
        assert bench.commands.files()[0].source == ADOPTED
        bench.commands.verify([NAME])
        await until(lambda: bench.commands.files()[0].checked_at)
    assert len(site.asked) == 1


async def test_whoever_asks_for_a_bad_file_has_it_downloaded_once(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(OTHER)))
        await bench.reach(NAME, State.WAITING)
        for _ in range(3):
            assert await bench.fetcher.arriving(NAME) is None
            await asyncio.sleep(0.2)
            await until(lambda: bench.progress(NAME).state is State.WAITING)
    assert len(site.asked) == 1


async def test_a_full_disk_is_not_taken_for_a_missing_connection(bench: Bench, site: Publisher) -> None:
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL, claims=1 << 50)))
            progress = await bench.reach(NAME, State.WAITING)
    assert "no space left in" in progress.trouble
    assert events(logs, "assets.missing") == []
