"""Sources: the bytes at any offset, one line for what cannot be served, and no blocking call in the loop."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support.one_thread import OneThread, begin, cancel, descriptors_of
from support.waiting import until

from iluvatar_pxe.assets.opening import ListedFile
from iluvatar_pxe.assets.source import BytesSource, FileSource, Source
from iluvatar_pxe.errors import AssetError

DATA = bytes(range(256)) * 40


@pytest.fixture(params=["bytes", "file"])
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Source]:
    if request.param == "bytes":
        opened: Source = BytesSource(DATA)
    else:
        path = tmp_path / "nbp"
        path.write_bytes(DATA)
        opened = await FileSource.open(ListedFile(path))
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 10), (255, 3), (0, len(DATA)), (len(DATA) - 1, 50), (len(DATA), 5), (0, 0)]
)
async def test_reads_at_any_offset_and_ends_with_the_file(source: Source, offset: int, length: int) -> None:
    assert source.size == len(DATA)
    assert await source.read(offset, length) == DATA[offset : offset + length]


async def test_close_may_be_called_again(source: Source) -> None:
    await source.close()
    await source.close()


async def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    source = await FileSource.open(ListedFile(tmp_path / "empty"))
    assert (source.size, await source.read(0, 100)) == (0, b"")
    await source.close()


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: os.truncate(path, 100), "became shorter"),
        (overwrite, "was changed"),
        (grow, "was changed"),
    ],
)
async def test_a_file_that_is_changed_gives_no_more_bytes(
    tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(DATA)
    os.utime(path, (1, 1))
    source = await FileSource.open(ListedFile(path))
    assert await source.read(0, 20) == DATA[:20]
    change(path)
    with pytest.raises(AssetError, match=f"{told} while it was sent; ask again"):
        await source.read(20, 20)
    await source.close()


async def test_a_replaced_file_is_served_as_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(DATA)
    source = await FileSource.open(ListedFile(path))
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").rename(path)
    assert await source.read(0, len(DATA)) == DATA
    await source.close()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_nothing(_path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_nothing, r"/it: cannot be opened: No such file or directory; make it a readable regular file$"),
        (os.mkdir, r"/it: cannot be opened: Is a directory; make it a readable regular file$"),
        (make_loop, r"/it: is behind a link that was not there .+$"),
        (make_fifo, r"/it: not a regular file; only regular files are served$"),
    ],
)
async def test_only_regular_files_are_served(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "it")
    with pytest.raises(AssetError, match=message) as caught:
        await FileSource.open(ListedFile(tmp_path / "it"))
    assert "\n" not in str(caught.value)


async def test_a_device_is_not_served() -> None:
    with pytest.raises(AssetError, match="not a regular file"):
        await FileSource.open(ListedFile(Path("/dev/zero")))


async def test_a_read_after_close_is_an_asset_error(tmp_path: Path) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(DATA)
    source = await FileSource.open(ListedFile(path))
    await source.close()
    with pytest.raises(AssetError, match=r"/nbp: cannot be read: .+; fetch or restore it$"):
        await source.read(0, 1)


async def test_nothing_stays_open_whenever_who_opens_or_closes_is_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(DATA)
    thread = OneThread()
    opening = await begin(FileSource.open(ListedFile(path)))
    thread.catch_up()
    await cancel(opening)
    await until(lambda: descriptors_of(path) == 0)
    source = await FileSource.open(ListedFile(path))
    assert descriptors_of(path) == 1
    with thread.busy():
        await cancel(await begin(source.close()))
    await until(lambda: descriptors_of(path) == 0)


async def test_a_bad_offset_is_an_asset_error(tmp_path: Path) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(DATA)
    source = await FileSource.open(ListedFile(path))
    with pytest.raises(AssetError, match=r"cannot be read: .*Invalid argument"):
        await source.read(-1, 1)
    await source.close()


async def test_no_file_call_happens_in_the_event_loops_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nbp"
    path.write_bytes(DATA)
    threads: list[int] = []
    for name in ("open", "pread", "fstat"):
        real = getattr(os, name)

        def spy(*args: Any, real: Callable[..., Any] = real, **kwargs: Any) -> Any:
            threads.append(threading.get_ident())
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, spy)
    source = await FileSource.open(ListedFile(path))
    first, second = await asyncio.gather(source.read(0, 5), source.read(5, 5))
    assert first + second == DATA[:10]
    await source.close()
    assert threads
    assert threading.get_ident() not in threads
