"""The store: what is listed by which name, what is left out, and files that come and go."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.rights import directory_for_nobody, without_root
from support.waiting import until

from iluvatar_pxe.assets import store as store_module
from iluvatar_pxe.assets.store import AssetStore, Listing, list_assets


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder of iPXE programs, with one that is served and one that is not."""
    directory = tmp_path / "system"
    directory.mkdir()
    (directory / "undionly.kpxe").write_text("the system's")
    (directory / "ipxe.iso").touch()
    monkeypatch.setattr(store_module, "SYSTEM_PROGRAMS", directory)
    return directory


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    directory = tmp_path / "assets"
    (directory / "talos" / "v1").mkdir(parents=True)
    (directory / "talos" / "v1" / "kernel-amd64").write_text("kernel")
    return directory


def names(assets: Path, programs: Path) -> set[str]:
    return set(list_assets(assets, programs).files)


def test_files_are_named_by_their_path(assets: Path, programs: Path) -> None:
    listing = list_assets(assets, programs)
    assert listing.names == {"talos/v1/kernel-amd64", "ipxe/undionly.kpxe"}
    assert listing.files["talos/v1/kernel-amd64"].path.read_text() == "kernel"
    assert listing.problem is None


def test_the_directorys_own_program_goes_before_the_systems(assets: Path, programs: Path) -> None:
    (assets / "ipxe").mkdir()
    (assets / "ipxe" / "undionly.kpxe").write_text("ours")
    assert list_assets(assets, programs).files["ipxe/undionly.kpxe"].path.read_text() == "ours"


def test_what_is_not_listed(assets: Path, programs: Path) -> None:
    (assets / ".hidden").touch()
    (assets / ".folder").mkdir()
    (assets / ".folder" / "file").touch()
    (assets / "device").symlink_to("/dev/zero")
    (assets / "gone").symlink_to("nowhere")
    (assets / "loop").symlink_to("loop")
    (assets / "up").symlink_to("..")
    (assets / "again").symlink_to("talos")
    os.mkfifo(assets / "fifo")
    assert names(assets, programs) == {
        "talos/v1/kernel-amd64",
        "again/v1/kernel-amd64",
        "ipxe/undionly.kpxe",
        "up/system/ipxe.iso",
        "up/system/undionly.kpxe",
    }


def test_links_inside_are_followed(assets: Path, programs: Path) -> None:
    (assets / "latest").symlink_to("talos/v1/kernel-amd64")
    assert list_assets(assets, programs).files["latest"].path.read_text() == "kernel"


def test_the_directory_itself_may_be_a_link(assets: Path, programs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(assets)
    assert names(tmp_path / "link", programs) == {"talos/v1/kernel-amd64", "ipxe/undionly.kpxe"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _path: None, "No such file or directory"),
        (Path.touch, "Not a directory"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
)
def test_a_directory_that_is_none(tmp_path: Path, programs: Path, make: object, reason: str) -> None:
    assert callable(make)
    make(tmp_path / "none")
    listing = list_assets(tmp_path / "none", programs)
    assert listing.problem == f"{tmp_path}/none: {reason}; make it a directory that the service can read"
    assert listing.names == {"ipxe/undionly.kpxe"}, "the system's programs boot machines all the same"


def test_closed_folders_are_told_and_cost_only_their_own_files() -> None:
    with directory_for_nobody() as directory:
        (directory / "open").touch()
        (directory / "closed").mkdir()
        (directory / "closed" / "file").touch()
        (directory / "link").symlink_to("closed/file")
        (directory / "closed").chmod(0o000)
        with without_root():
            listing = list_assets(directory, Path("/nowhere"))
        (directory / "closed").chmod(0o755)
    assert listing.names == {"open"}
    assert listing.problems == (
        f"{directory}/closed: Permission denied; make it a directory that the service can read",
        f"{directory}/link: is a link to closed/file: Permission denied; correct or remove the link",
    )


async def test_files_come_and_go(assets: Path, programs: Path) -> None:
    del programs
    store = AssetStore(assets, interval=0.01)
    await store.refresh()
    running = asyncio.create_task(store.run())
    (assets / "new").touch()
    await until(lambda: "new" in store.ready)
    (assets / "new").unlink()
    await until(lambda: "new" not in store.ready)
    running.cancel()
    assert await asyncio.gather(running, return_exceptions=True)


async def test_the_kernel_tells_of_files(
    assets: Path, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking again would be too late in here."""
    monkeypatch.setattr(store_module, "ANYWAY_SECONDS", 600.0)
    monkeypatch.setattr(store_module, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(store_module, "SYSTEM_PROGRAMS", programs)
    (assets / "folder").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "image").write_text("one")
    (assets / "link").symlink_to(elsewhere / "image")
    store = AssetStore(assets, interval=600.0)
    await store.refresh()
    running = asyncio.create_task(store.run())
    (assets / "folder" / "new").touch()
    await until(lambda: "folder/new" in store.ready)
    (assets / "deep").mkdir()
    await until(lambda: assets / "deep" in store._listing.folders)
    (assets / "deep" / "new").touch()
    await until(lambda: "deep/new" in store.ready)
    (elsewhere / "image").write_text("another")
    await until(lambda: store._listing.files["link"].size == len("another"))
    (programs / "snponly.efi").touch()
    await until(lambda: "ipxe/snponly.efi" in store.ready)
    await asyncio.to_thread(assets.rename, tmp_path / "away")
    await until(lambda: "link" not in store.ready)
    running.cancel()
    assert await asyncio.gather(running, return_exceptions=True)


async def test_a_directory_that_is_not_there_yet_is_looked_for(tmp_path: Path, programs: Path) -> None:
    del programs
    store = AssetStore(tmp_path / "later", interval=0.01)
    await store.refresh()
    running = asyncio.create_task(store.run())
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "new").touch()
    await until(lambda: "new" in store.ready)
    running.cancel()
    assert await asyncio.gather(running, return_exceptions=True)


async def test_a_problem_is_logged_once_and_goes_away(assets: Path, programs: Path) -> None:
    del programs
    away = assets.with_name("away")
    store = AssetStore(away)
    with capture_logs() as logs:
        await store.refresh()
        await store.refresh()
    assert [line["problem"] for line in logs] == [store.problem]
    await asyncio.to_thread(assets.rename, away)
    await store.refresh()
    assert store.problem is None


async def test_open_reads_by_logical_name_only(assets: Path, programs: Path) -> None:
    del programs
    store = AssetStore(assets)
    await store.refresh()
    source = await store.open("talos/v1/kernel-amd64")
    assert source is not None
    assert await source.read(0, 100) == b"kernel"
    await source.close()
    for name in ("", ".", "talos", "/talos/v1/kernel-amd64", "talos//v1/kernel-amd64", str(assets / "talos")):
        assert await store.open(name) is None


async def test_a_file_that_is_gone_since_the_last_look_is_not_there(assets: Path, programs: Path) -> None:
    del programs
    store = AssetStore(assets)
    await store.refresh()
    (assets / "talos/v1/kernel-amd64").unlink()
    assert await store.open("talos/v1/kernel-amd64") is None


SECRET = "outside-the-assets-directory"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    root = tmp_path_factory.mktemp("root")
    (root / "secret").write_text(SECRET)
    (root / "assets" / "folder").mkdir(parents=True)
    (root / "assets" / "file").write_text("inside")
    (root / "assets" / "out").symlink_to("../elsewhere")
    (root / "elsewhere").mkdir()
    return list_assets(root / "assets", Path("/nowhere"))


PARTS = st.sampled_from(
    ["..", ".", "", "secret", "assets", "file", "folder", "out", "etc", "passwd", "\0", "%2e%2e", "\\"]
)


@settings(max_examples=1000)
@given(st.lists(PARTS | st.text(max_size=4), max_size=8).map("/".join))
def test_no_name_reaches_outside(listed: Listing, name: str) -> None:
    file = listed.files.get(name)
    assert file is None or file.path.read_text() != SECRET
