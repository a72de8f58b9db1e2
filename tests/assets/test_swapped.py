"""Links that come after the assets directory was read: what is opened is what was allowed then, or nothing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.rights import directory_for_nobody
from support.tftp_client import TftpClient

from iluvatar_pxe.assets.store import AssetStore, list_assets
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.wire.tftp.packet import Error

PROGRAM = "ipxe/snponly.efi"
STRANGER = 12345
CHANGED = "is behind a link that was not there when the directory was read; ask again in a few seconds"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other users")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, with a state directory."""
    with directory_for_nobody() as directory:
        (directory / "state" / "assets").mkdir(parents=True)
        (directory / "state" / "tls").mkdir()
        (directory / "state" / "tls" / "snponly.efi").write_text("secret")
        (directory / "state" / "tls").chmod(0o700)
        yield directory


def linked(place: Path) -> Path:
    """Let root link a folder of a stranger."""
    folder = place / "theirs" / "ipxe"
    folder.mkdir(parents=True)
    (place / "state" / "assets" / "ipxe").symlink_to(folder)
    return folder


def plain(place: Path) -> Path:
    """Let a stranger own a folder of the assets directory."""
    folder = place / "state" / "assets" / "ipxe"
    folder.mkdir()
    return folder


def filled(folder: Path) -> Path:
    program = folder / "snponly.efi"
    program.write_bytes(b"MZ" * 1000)
    for path in (folder, program):
        os.chown(path, STRANGER, STRANGER)
    return program


def swap(path: Path, target: Path) -> None:
    """Put a link of the stranger where his file or folder is."""
    path.rename(path.with_name(f"{path.name}-away"))
    path.symlink_to(target)
    os.lchown(path, STRANGER, STRANGER)


@needs_root
@pytest.mark.parametrize("make", [linked, plain])
def test_http_and_tftp_send_no_key_for_a_file_that_became_a_link(
    place: Path, make: Callable[[Path], Path]
) -> None:
    program = filled(make(place))
    (program.parent / "own").touch()
    with Daemon(place) as daemon:
        assert daemon.get("/assets/ipxe/own") == (200, b"")
        key = place / "state" / "ticket.key"
        swap(program, key)
        swap(program.parent / "own", key)
        status, body = daemon.get("/assets/ipxe/own")
        with TftpClient(daemon.tftp_port, PROGRAM) as client:
            told = client.receive()
        assert key.read_bytes() not in body + client.received
    assert (status, len(body.splitlines())) == (503, 1)
    assert isinstance(told, Error) or told.payload.startswith(b"MZ"), "Debian's own, once it was read again"


@needs_root
@pytest.mark.parametrize("make", [linked, plain])
@pytest.mark.parametrize("whole_folder", [False, True])
async def test_what_became_a_link_is_not_opened(
    place: Path, make: Callable[[Path], Path], *, whole_folder: bool
) -> None:
    program = filled(make(place))
    store = AssetStore(place / "state" / "assets", place / "state")
    await store.refresh()
    secret = place / "state" / "tls" / program.name
    swap(program.parent if whole_folder else program, secret.parent if whole_folder else secret)
    with pytest.raises(AssetError, match=f"^{program}: {CHANGED}$"):
        await store.open(PROGRAM)
    assert PROGRAM not in list_assets(place / "state" / "assets", Path("/nowhere"), place / "state").names


@needs_root
@pytest.mark.parametrize("closed", ["disk", "disk/snponly.efi"])
async def test_what_its_linker_may_no_longer_read_is_not_opened(place: Path, closed: str) -> None:
    (place / "disk").mkdir()
    (place / "disk" / "snponly.efi").write_text("open")
    link = place / "state" / "assets" / "snponly.efi"
    link.symlink_to(place / "disk" / "snponly.efi")
    os.lchown(link, STRANGER, STRANGER)
    store = AssetStore(place / "state" / "assets", place / "state")
    await store.refresh()
    (place / closed).chmod(0o700)
    with pytest.raises(AssetError, match=f"user {STRANGER}, who linked it here, may not read it"):
        await store.open("snponly.efi")


@pytest.mark.parametrize("target", ["tls", "tls/snponly.efi", ".", ".."])
def test_no_link_leads_to_the_state_directory(place: Path, target: str) -> None:
    (place / "state" / "assets" / "file").touch()
    (place / "state" / "assets" / "link").symlink_to(place / "state" / target)
    listing = list_assets(place / "state" / "assets", Path("/nowhere"), place / "state")
    assert listing.names == {"file"}
    assert "leads into the state directory, which has the daemon's keys" in (listing.problem or "")


@pytest.mark.parametrize("assets", ["state", ".", "state/tls"])
def test_an_assets_directory_around_the_state_directory_gives_away_none_of_it(
    place: Path, assets: str
) -> None:
    listing = list_assets(place / assets, Path("/nowhere"), place / "state")
    assert listing.names == ({"snponly.efi"} if assets == "state/tls" else set()), (
        "what [assets] names is served"
    )


@needs_root
def test_no_stranger_says_by_a_link_which_directory_is_served(place: Path) -> None:
    (place / "disk").mkdir()
    (place / "disk" / "file").touch()
    (place / "pxe").symlink_to(place / "disk")
    assert list_assets(place / "pxe", Path("/nowhere")).names == {"file"}, "root may"
    os.lchown(place / "pxe", STRANGER, STRANGER)
    listing = list_assets(place / "pxe", Path("/nowhere"))
    assert listing.names == set()
    assert listing.problem == (
        f"{place}/pxe: user {STRANGER} made a link on the way to it; make the link with sudo ln -s"
    )
