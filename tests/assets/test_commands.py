"""What people ask for about boot files: verified, imported, removed, and never what they copied themselves."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.archives import COMPRESSIONS, file, tar_of
from support.fetching import Bench, damage, download_of, running
from support.pi_images import BOOT_START, ROOT_START, UBUNTU_24_04, Layout, make_image, needs_tools, place
from support.publisher import Publisher
from support.waiting import PATIENCE, until
from support.wanted import pinned

from iluvatar_pxe.assets.checking import Checking
from iluvatar_pxe.assets.index import ADOPTED, ASIDE
from iluvatar_pxe.assets.leftovers import BEFORE, COPIED
from iluvatar_pxe.assets.status import AssetStatus, Part
from iluvatar_pxe.assets.unpack.unpack import unpack
from iluvatar_pxe.catalogue.download import Check, Digest, Download, SumsFile, Unpack
from iluvatar_pxe.catalogue.lock import Pin
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.values import replace

KERNEL = b"kernel" * 50_000
NAME = "talos/abc/v1/kernel-amd64"
LISTED = SumsFile(("https://x/SHA256SUMS",), "sha256", "kernel-amd64")
SIGNED = replace(LISTED, key="ubuntu-cdimage", signatures=("https://x/SHA256SUMS.gpg",))
MEMBERS = {"ipxeboot/one.efi": "ipxe/one.efi", "ipxeboot/more.efi": "ipxe/more.efi"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, unpack)


def status(bench: Bench, name: str = NAME) -> AssetStatus:
    (one,) = (one for one in bench.commands.files() if one.download.name == name)
    return one


def archive(site: Publisher, version: str, content: bytes) -> Download:
    """Offer iPXE's archive of a version, whose files have this content."""
    data = COMPRESSIONS["tar.gz"](tar_of([file(member, content) for member in MEMBERS]))
    url = site.offer(f"/{version}.tar.gz", data)
    return download_of(
        f"ipxe/{version}/ipxeboot.tar.gz", url, version=version, unpack=Unpack.ARCHIVE, members=MEMBERS
    )


def put(bench: Bench, name: str, content: bytes) -> Path:
    path = bench.assets / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def stick(bench: Bench, content: bytes, *others: tuple[str, bytes]) -> Path:
    """Return a copy below the assets directory, as a command makes it."""
    for name, data in others:
        put(bench, f".import/x/{name}", data)
    return put(bench, ".import/x/kernel-amd64", content)


async def imported(bench: Bench, path: Path, *, trust: bool = False) -> AssetStatus:
    bench.commands.take(NAME, path, trust=trust)
    await until(lambda: status(bench).progress.state is not State.VERIFYING)
    await until(lambda: not path.exists())
    await until(lambda: status(bench).fault or status(bench).progress.state is State.READY)
    return status(bench)


async def test_verified_again(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
        await bench.reach(NAME, State.READY)
        before = status(bench).checked_at
        assert before
        bench.commands.verify([NAME])
        await until(lambda: (status(bench).checked_at or before) > before)
        assert (status(bench).fault, len(site.asked)) == ("", 1)


async def test_a_damaged_file_is_fetched_again(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
        await bench.reach(NAME, State.READY)
        damage(bench.assets / NAME)
        bench.commands.verify([NAME])
        await until(lambda: len(site.asked) == 2)
        await bench.reach(NAME, State.READY)
        assert status(bench).fault.startswith(f"{NAME}: has another checksum")
        assert bench.content(NAME) == KERNEL


async def test_an_overwritten_file_is_named_set_aside_and_fetched_again(
    bench: Bench, site: Publisher
) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL)))
        await bench.reach(NAME, State.READY)
        put(bench, NAME, b"Kernel" + KERNEL[6:])
        bench.commands.verify([NAME])
        await until(lambda: len(site.asked) == 2)
        await bench.reach(NAME, State.READY)
        aside = bench.assets / ".aside" / NAME
        assert status(bench).fault == (
            f"{NAME}: has another checksum than the pinned one, and was moved to {aside}"
        )
        assert (bench.content(NAME), aside.read_bytes()) == (KERNEL, b"Kernel" + KERNEL[6:])
        assert status(bench).source == site.url("/kernel")


@pytest.mark.parametrize("check", [pinned(KERNEL), None])
async def test_a_file_that_is_overwritten_is_noticed_and_handled_likewise(
    bench: Bench, site: Publisher, check: Digest | None
) -> None:
    """Nobody asks for it; also where the pin is in no catalogue yet."""
    with capture_logs() as logs:
        async with running(bench):
            bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL), check=check))
            await bench.reach(NAME, State.READY)
            put(bench, NAME, b"Kernel" + KERNEL[6:])
            await bench.store.refresh()
            await until(lambda: len(site.asked) == 2)
            await bench.reach(NAME, State.READY)
            assert bench.content(NAME) == KERNEL
    (changed,) = (line for line in logs if line["event"] == "asset.changed")
    (fault,) = (line for line in logs if line["event"] == "asset.fault")
    assert (changed["name"], fault["why"]) == (NAME, status(bench).fault)


@pytest.mark.parametrize("is_known", [True, False], ids=["downloaded", "pinned"])
async def test_a_changed_file_is_not_served_before_it_was_checked(
    tmp_path: Path, site: Publisher, *, is_known: bool
) -> None:
    """Nobody hears of the change at first; then it is looked at only when nobody has written to it for long."""
    bench = Bench(tmp_path, settle=60.0)
    async with running(bench):
        if is_known:
            await bench.get(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL)))
            opened = await bench.store.open(NAME)
            assert opened
            await opened.close()
        put(bench, NAME, b"evil")
        if is_known:
            with pytest.raises(AssetError, match="was changed on the disk, and is checked first"):
                await bench.store.open(NAME)
        else:
            bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL)))
        await bench.store.refresh()
        await bench.reach(NAME, State.VERIFYING)
        assert NAME not in bench.store.ready
        assert await bench.store.open(NAME) is None
        assert bench.fetcher.coming[NAME].state is State.VERIFYING
        os.utime(bench.assets / NAME, (1, 1))  # it has settled long ago
    bench = Bench(tmp_path)
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL)))
        await bench.reach(NAME, State.READY)
        assert bench.content(NAME) == KERNEL


@pytest.mark.parametrize("check", [pinned(KERNEL), None])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
async def test_a_fifo_or_a_folder_in_the_place_of_a_file_goes_out_of_the_way(
    bench: Bench, site: Publisher, make: Callable[[Path], None], check: Digest | None
) -> None:
    """Nobody writes to the FIFO: whoever opened it would wait for ever."""
    async with running(bench):
        await bench.get(download_of(NAME, site.offer("/kernel", KERNEL), check=check))
        (bench.assets / NAME).unlink()
        make(bench.assets / NAME)
        await bench.store.refresh()
        await until(lambda: len(site.asked) == 2)
        await bench.reach(NAME, State.READY)
        assert bench.content(NAME) == KERNEL
        assert (bench.assets / ".aside" / NAME).exists()


async def test_a_folder_is_set_aside_beside_a_file_that_was(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        await bench.get(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL)))
        put(bench, f"{NAME}.other", b"so that the folder is not empty")
        for make in (Path.touch, Path.mkdir, Path.touch, Path.mkdir):
            site.asked.clear()
            (bench.assets / NAME).unlink()
            make(bench.assets / NAME)
            await bench.store.refresh()
            await until(lambda: site.asked)
            await bench.reach(NAME, State.READY)
    names = {path.name: path.is_dir() for path in (bench.assets / ".aside" / NAME).parent.iterdir()}
    assert names == {"kernel-amd64": False, "kernel-amd64.2": True, "kernel-amd64.3": True}


@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_check_that_came_to_no_end_is_tried_again_when_its_cause_is_gone(
    bench: Bench, site: Publisher, *, is_asked: bool
) -> None:
    async with running(bench):
        await bench.get(download_of(NAME, site.offer("/kernel", KERNEL), check=pinned(KERNEL)))
        (bench.assets / ".aside").touch()  # where nothing can be put
        put(bench, NAME, b"mine")
        await bench.store.refresh()
        progress = await bench.reach(NAME, State.WAITING)
        assert "cannot be moved to" in progress.trouble
        assert status(bench).failures == 1, "so that assets fetch comes to an end"
        (bench.assets / ".aside").unlink()
        if is_asked:
            bench.commands.fetch([NAME])
        else:
            (bench.assets / NAME).unlink()
        await until(lambda: len(site.asked) == 2)
        await bench.reach(NAME, State.READY)
        assert bench.content(NAME) == KERNEL


async def test_what_changes_while_it_is_checked_is_a_reason_to_check_it_again(bench: Bench) -> None:
    checking, wanted = (
        Checking(bench.index, 0.01),
        download_of(NAME, "https://a.example", check=pinned(KERNEL)),
    )
    file = put(bench, NAME, b"mine")
    before = await checking.settled(wanted)
    file.unlink()
    async with asyncio.timeout(PATIENCE):
        await checking.stirred(wanted, before, 2 * PATIENCE)


async def test_a_member_of_an_archive_that_is_overwritten_is_noticed(bench: Bench, site: Publisher) -> None:
    wanted = archive(site, "2.0.0", b"ours" * 1000)
    async with running(bench):
        bench.wants.set(wanted)
        await bench.reach(wanted.name, State.READY)
        put(bench, "ipxe/more.efi", b"mine")
        await bench.store.refresh()
        await until(lambda: len(site.asked) == 2)
        await bench.reach(wanted.name, State.READY)
        assert bench.content("ipxe/more.efi") == b"ours" * 1000
        assert bench.content(".aside/ipxe/more.efi") == b"mine"


async def test_a_file_that_was_touched_stays(bench: Bench, site: Publisher) -> None:
    """Its content is the same."""
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/kernel", KERNEL)))
        await bench.reach(NAME, State.READY)
        before = status(bench).checked_at
        assert before
        os.utime(bench.assets / NAME)
        await bench.store.refresh()
        await until(lambda: (status(bench).checked_at or before) > before)
        assert (status(bench).fault, status(bench).source, len(site.asked)) == ("", site.url("/kernel"), 1)


async def test_a_copy_that_is_still_being_written_is_not_judged(tmp_path: Path, site: Publisher) -> None:
    bench = Bench(tmp_path, settle=2.0)
    async with running(bench):
        wanted = download_of(NAME, site.offer("/kernel", KERNEL, stall=100_000), check=pinned(KERNEL))
        bench.wants.set(wanted)
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done == 100_000)
        with (bench.assets / NAME).open("wb") as copy:
            for start in range(0, len(KERNEL), 100_000):
                copy.write(KERNEL[start : start + 100_000])
                copy.flush()
                await bench.store.refresh()
        await until(lambda: status(bench).source == ADOPTED)
        assert (status(bench).fault, status(bench).progress.state) == ("", State.READY)


@pytest.mark.parametrize(("content", "is_right"), [(KERNEL, True), (b"another", False)])
async def test_what_was_copied_by_hand_is_compared_with_the_pin(
    tmp_path: Path, content: bytes, *, is_right: bool
) -> None:
    bench = Bench(tmp_path, fetch=False)
    put(bench, NAME, content)
    async with running(bench):
        bench.wants.set(download_of(NAME, "http://127.0.0.1:9/", check=pinned(KERNEL)))
        if not is_right:
            await until(lambda: NAME in bench.fetcher.wanted and "pinned" in status(bench).fault)
        await bench.reach(NAME, State.READY if is_right else State.MISSING)
        assert (status(bench).fault == "", status(bench).source == ADOPTED) == (is_right, is_right)
        assert bench.content(NAME if is_right else f".aside/{NAME}") == content
        if not is_right:
            return
        bench.wants.set()
        bench.wants.set(download_of("other", "http://127.0.0.1:9/"))
        await until(lambda: "other" in bench.fetcher.progress)
        await bench.commands.remove(await bench.commands.leftovers())
    assert bench.content(NAME) == content


async def test_a_copy_with_the_pinned_checksum_is_imported(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fetch=False)
    async with running(bench):
        bench.wants.set(download_of(NAME, check=pinned(KERNEL)), download_of("x"))
        await bench.reach(NAME, State.MISSING)
        found = await imported(bench, stick(bench, KERNEL))
        assert (found.progress.state, found.source, found.fault) == (State.READY, "imported", "")
        assert bench.content(NAME) == KERNEL


@pytest.mark.parametrize(
    ("check", "content", "fault"),
    [
        (pinned(KERNEL), b"another", "kernel-amd64: has sha256"),
        (pinned(KERNEL), b"", "kernel-amd64: is empty; fetch it again"),
        (None, KERNEL, f"{NAME}: no checksum of it is known; add --trust to pin this one"),
        (LISTED, KERNEL, f"{NAME}: is checked by its publisher's list; put SHA256SUMS beside the file"),
        (
            SIGNED,
            KERNEL,
            f"{NAME}: is checked by its publisher's list; put SHA256SUMS and SHA256SUMS.gpg beside",
        ),
    ],
)
async def test_a_copy_that_nothing_vouches_for_is_refused(
    tmp_path: Path, check: Check | None, content: bytes, fault: str
) -> None:
    await is_refused(Bench(tmp_path, fetch=False), check, content, fault, trust=False)


@pytest.mark.parametrize(
    ("check", "content", "fault"),
    [
        (pinned(KERNEL), b"another", "kernel-amd64: has sha256"),
        (LISTED, KERNEL, f"{NAME}: is checked by its publisher's list"),
        (SIGNED, KERNEL, f"{NAME}: is checked by its publisher's list"),
        (None, b"", "kernel-amd64: is empty; fetch it again"),
        (None, b"<!DOCTYPE html><p>log in", "kernel-amd64: is a web page"),
    ],
)
async def test_trust_takes_the_place_of_no_check(
    tmp_path: Path, check: Check | None, content: bytes, fault: str
) -> None:
    await is_refused(Bench(tmp_path, fetch=False), check, content, fault, trust=True)


async def is_refused(bench: Bench, check: Check | None, content: bytes, fault: str, *, trust: bool) -> None:
    """Import a copy, of which then nothing is kept, and nothing is pinned."""
    async with running(bench):
        bench.wants.set(download_of(NAME, check=check))
        await bench.reach(NAME, State.MISSING)
        found = await imported(bench, stick(bench, content), trust=trust)
        assert found.fault.startswith(fault)
        assert not (bench.assets / NAME).exists()
        assert bench.pinned == {}


async def test_a_trusted_copy_that_cannot_be_unpacked_is_not_pinned(tmp_path: Path) -> None:
    bench = Bench(tmp_path, unpack, fetch=False)
    async with running(bench):
        bench.wants.set(download_of(NAME, unpack=Unpack.ARCHIVE, members=MEMBERS))
        await bench.reach(NAME, State.MISSING)
        found = await imported(bench, stick(bench, b"noise" * 100), trust=True)
        assert (found.fault.startswith(NAME), bench.pinned) == (True, {}), found.fault


@needs_tools
@pytest.mark.parametrize(
    ("offset", "fault"), [(510, "has no partition table"), (ROOT_START + 1024, "ext4"), (BOOT_START, "FAT")]
)
async def test_a_broken_image_on_a_stick_leaves_nothing_and_a_whole_one_comes(
    tmp_path: Path, offset: int, fault: str
) -> None:
    bench = Bench(tmp_path, unpack, fetch=False)
    (tmp_path / "make").mkdir()
    image = make_image(tmp_path / "make", Layout())
    whole = image.read_bytes()
    name, folder = "images/mine.img", "raspberry-pi/mine"
    async with running(bench):
        bench.wants.set(download_of(name, unpack=Unpack.PI_IMAGE, folder=folder))
        await bench.reach(name, State.MISSING)
        place(image, offset, bytes(64 << 10))
        bench.commands.take(name, put(bench, ".import/x/mine.img", image.read_bytes()), trust=True)
        await until(lambda: status(bench, name).fault)
        assert status(bench, name).fault.startswith(f"{name}: ")
        assert fault in status(bench, name).fault
        await bench.reach(name, State.MISSING)
        assert (bench.pinned, bench.index.records, bench.index.verified) == ({}, {}, {})
        assert [path for path in bench.assets.rglob("*") if path.is_file()] == [bench.assets / ".index.json"]
        bench.commands.take(name, put(bench, ".import/x/mine.img", whole), trust=True)
        await bench.reach(name, State.READY)
        assert (status(bench, name).fault, bench.content(f"{folder}/config.txt")) == (
            "",
            UBUNTU_24_04["config.txt"],
        )


async def test_a_trusted_copy_is_not_another_one_than_is_pinned_meanwhile(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fetch=False)
    async with running(bench):
        bench.wants.set(download_of(NAME))
        await bench.reach(NAME, State.MISSING)
        await bench.keeper.add(
            {NAME: Pin(sha256=pinned(b"another").value, size=7)}, {}
        )  # the fetcher is not told
        bench.commands.take(NAME, stick(bench, KERNEL), trust=True)
        await until(lambda: status(bench).fault)
        assert not (bench.assets / NAME).exists()
    assert bench.pinned == {NAME: pinned(b"another").value}


async def test_a_copy_is_trusted_and_then_pinned(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fetch=False)
    async with running(bench):
        bench.wants.set(download_of(NAME))
        await bench.reach(NAME, State.MISSING)
        assert not (await imported(bench, stick(bench, KERNEL), trust=True)).fault
    assert bench.pinned == {NAME: pinned(KERNEL).value}


async def test_a_copy_with_its_publishers_list_beside_it_is_imported(tmp_path: Path) -> None:
    bench = Bench(tmp_path, fetch=False)
    listed = f"{pinned(KERNEL).value} *kernel-amd64\n".encode()
    async with running(bench):
        bench.wants.set(download_of(NAME, check=LISTED))
        await bench.reach(NAME, State.MISSING)
        found = await imported(bench, stick(bench, KERNEL, ("SHA256SUMS", listed)))
        assert (found.fault, bench.content(NAME)) == ("", KERNEL)


@pytest.mark.parametrize(
    ("listed", "fault"),
    [
        (b"not a list\n", "SHA256SUMS: line 1 is not a checksum and a name; fetch it again, or correct"),
        (b"", "SHA256SUMS: is empty, not a list of checksums; fetch it again, or correct"),
    ],
)
async def test_a_list_on_a_stick_is_named_as_it_lies_there(tmp_path: Path, listed: bytes, fault: str) -> None:
    bench = Bench(tmp_path, fetch=False)
    async with running(bench):
        bench.wants.set(download_of(NAME, check=LISTED))
        await bench.reach(NAME, State.MISSING)
        found = await imported(bench, stick(bench, KERNEL, ("SHA256SUMS", listed)))
        assert found.fault.startswith(fault)


async def test_an_import_takes_the_place_of_a_download_that_does_not_come(
    bench: Bench, site: Publisher
) -> None:
    async with running(bench):
        wanted = download_of(NAME, site.offer("/kernel", KERNEL, stall=100_000), check=pinned(KERNEL))
        bench.wants.set(wanted)
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done == 100_000)
        assert not (await imported(bench, stick(bench, KERNEL))).fault


async def test_only_what_neither_of_two_commits_wants_is_removed(bench: Bench, site: Publisher) -> None:
    names = [f"talos/abc/v{number}/kernel-amd64" for number in range(4)]
    put(bench, "mine/a", b"1234")
    put(bench, "mine/b", b"56")
    async with running(bench):
        for number, name in enumerate(names):
            url = site.offer(f"/{number}", KERNEL)
            bench.wants.set(download_of(name, url, version=f"v{number}", withdrawn=number == 0))
            await bench.reach(name, State.READY)
        found = {one.name: one for one in await bench.commands.leftovers()}
        assert found.keys() == {*names[:3], "mine/"}
        assert (found["mine/"].kept_for, found["mine/"].size) == (COPIED, 6)
        assert [found[name].kept_for for name in names[:3]] == ["", "", BEFORE]
        assert [found[name].only_named for name in names[:3]] == [True, False, False]
        await bench.commands.remove([*found.values()])
        assert not (bench.assets / "talos/abc/v1").exists()
        assert (bench.assets / "mine/a").exists()
        assert [bench.content(name) for name in names[2:]] == [KERNEL, KERNEL]
        assert {one.name for one in await bench.commands.leftovers()} == {names[2], "mine/"}


async def test_the_beginning_of_a_download_is_kept_for_one_commit_more(bench: Bench, site: Publisher) -> None:
    name = "talos/abc/v1/kernel-amd64"
    async with running(bench):
        bench.wants.set(download_of(name, site.offer("/1", KERNEL, stall=100_000)))
        await until(lambda: name in bench.fetcher.progress and bench.progress(name).done == 100_000)
        assert list(await bench.commands.leftovers()) == []
        await bench.get(download_of("other/a", site.offer("/a", KERNEL)))
        (begun,) = await bench.commands.leftovers()
        assert (begun.name, begun.part, begun.kept_for) == (name, Part.BEGUN, BEFORE)
        assert begun.size >= 100_000
        await bench.get(download_of("other/b", site.offer("/b", KERNEL)))
        assert [one.name for one in await bench.commands.leftovers()] == ["other/a"]


async def test_the_beginning_of_a_download_goes_when_its_file_comes_otherwise(
    bench: Bench, site: Publisher
) -> None:
    async with running(bench):
        bench.wants.set(download_of(NAME, site.offer("/1", KERNEL, stall=100_000)))
        await until(lambda: NAME in bench.fetcher.progress and bench.progress(NAME).done == 100_000)
        put(bench, NAME, KERNEL)
        await bench.store.refresh()
        await bench.reach(NAME, State.READY)
        await until(lambda: not list(bench.assets.rglob(".coming")))


async def test_what_a_crash_left_of_downloads_is_gone_at_start(bench: Bench) -> None:
    put(bench, "talos/abc/v1/.coming/kernel-amd64/kernel-amd64.part", KERNEL)
    await bench.fetcher.look()
    assert list(bench.assets.iterdir()) == []


async def test_what_was_set_aside_is_shown_and_removed(bench: Bench, site: Publisher) -> None:
    async with running(bench):
        await bench.get(download_of(NAME, site.offer("/1", KERNEL)))
        put(bench, NAME, b"mine")
        await bench.store.refresh()
        await until((bench.assets / ASIDE / NAME).exists)
        await bench.reach(NAME, State.READY)
        (aside,) = await bench.commands.leftovers()
        assert (aside.name, aside.part, aside.size, aside.kept_for) == (NAME, Part.ASIDE, 4, "")
        await bench.commands.remove([aside])
        assert not (bench.assets / ASIDE).exists()
        assert bench.content(NAME) == KERNEL


async def test_an_archive_is_unpacked_and_a_newer_one_takes_its_place(bench: Bench, site: Publisher) -> None:
    first, second = archive(site, "2.0.0", b"old" * 1000), archive(site, "2.1.0", b"new" * 1000)
    async with running(bench):
        bench.wants.set(first)
        await bench.reach(first.name, State.READY)
        assert [bench.content(asset) for asset in MEMBERS.values()] == [b"old" * 1000] * 2
        assert not list(bench.assets.rglob("*.tar.gz")), "the archive itself is not kept"
        bench.wants.set(second)
        await bench.reach(second.name, State.READY)
        assert [bench.content(asset) for asset in MEMBERS.values()] == [b"new" * 1000] * 2
        bench.wants.set(first)
        await until(lambda: bench.content("ipxe/more.efi") == b"old" * 1000)
        await bench.reach(first.name, State.READY)
        bench.wants.set(download_of("other", site.offer("/other", KERNEL)))
        await bench.reach("other", State.READY)
        gone = [one for one in await bench.commands.leftovers() if one.name == second.name]
        await bench.commands.remove(gone)
        assert bench.content("ipxe/more.efi") == b"old" * 1000, "another one's files stay"


async def test_files_that_were_copied_by_hand_are_left_out_of_an_archive(
    bench: Bench, site: Publisher
) -> None:
    put(bench, "ipxe/more.efi", b"mine")
    wanted = archive(site, "2.0.0", b"ours" * 1000)
    async with running(bench):
        bench.wants.set(wanted)
        await bench.reach(wanted.name, State.READY)
        assert bench.content("ipxe/more.efi") == b"mine"
        assert bench.content("ipxe/one.efi") == b"ours" * 1000
        (bench.assets / "ipxe/one.efi").unlink()
        await bench.store.refresh()
        await until((bench.assets / "ipxe/one.efi").exists)
        await bench.reach(wanted.name, State.READY)
        assert bench.content("ipxe/more.efi") == b"mine"


async def test_an_archive_that_cannot_be_unpacked_is_pinned_for_nobody_and_fetched_again(
    bench: Bench, site: Publisher
) -> None:
    """The publisher's first one was cut off by whoever made it; later he repairs it."""
    whole = archive(site, "2.0.0", b"ours" * 1000)
    (offer,) = site.offers.values()
    assert isinstance(offer.content, bytes)
    repaired, offer.content = offer.content, offer.content[:40]
    async with running(bench):
        bench.wants.set(whole)
        progress = await bench.reach(whole.name, State.WAITING)
        assert progress.trouble.startswith(f"{whole.name}: ")
        assert (bench.pinned, bench.index.verified, len(site.asked)) == ({}, {}, 1)
        assert not [path for path in bench.assets.rglob("*.tar.gz*") if path.is_file()]
        bench.commands.fetch([whole.name])
        await until(lambda: len(site.asked) == 2)
        await bench.reach(whole.name, State.WAITING)
        offer.content = repaired
        bench.commands.fetch([whole.name])
        await bench.reach(whole.name, State.READY)
        assert [bench.content(asset) for asset in MEMBERS.values()] == [b"ours" * 1000] * 2
        assert bench.pinned.keys() == {whole.name}
        bench.commands.verify([whole.name])
        await until(lambda: bench.progress(whole.name).state is State.READY)
        assert (status(bench, whole.name).fault, list(await bench.commands.leftovers())) == ("", [])


async def test_a_damaged_import_is_pinned_for_nobody_and_leaves_nothing(
    tmp_path: Path, site: Publisher
) -> None:
    bench = Bench(tmp_path, unpack, fetch=False)
    wanted = archive(site, "2.0.0", b"ours" * 1000)
    async with running(bench):
        bench.wants.set(wanted)
        await bench.reach(wanted.name, State.MISSING)
        path = put(bench, ".import/x/ipxeboot.tar.gz", b"no archive" * 100)
        bench.commands.take(wanted.name, path, trust=True)
        await until(lambda: status(bench, wanted.name).fault)
        await until(lambda: not path.exists())
    assert (bench.pinned, bench.index.verified) == ({}, {})


async def test_an_archive_that_cannot_be_unpacked_is_told(bench: Bench, site: Publisher) -> None:
    url = site.offer("/x.tar.gz", tar_of([file("ipxeboot/one.efi", b"x")]))
    wanted = download_of("ipxe/x.tar.gz", url, unpack=Unpack.ARCHIVE, members=MEMBERS)
    async with running(bench):
        bench.wants.set(wanted)
        progress = await bench.reach(wanted.name, State.WAITING)
        assert "ipxeboot/more.efi" in progress.trouble
        assert not (bench.assets / "ipxe/one.efi").exists()


async def test_the_last_version_that_was_complete_is_kept(bench: Bench, site: Publisher) -> None:
    names = [f"talos/abc/v{number}/kernel-amd64" for number in range(3)]
    async with running(bench):
        for number, (name, state) in enumerate(
            zip(names, (State.READY, State.WAITING, State.WAITING), strict=True)
        ):
            url = site.offer(f"/{number}", KERNEL, status=None if number == 0 else 404)
            bench.wants.set(download_of(name, url, version=f"v{number}"))
            await bench.reach(name, state)
        (kept,) = await bench.commands.leftovers()
        assert (kept.name, kept.kept_for) == (names[0], BEFORE)
