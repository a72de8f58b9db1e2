"""Links in the assets directory: those of the owner are followed, and nobody gets by one what he may not read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.rights import directory_for_nobody
from support.tftp_client import TftpClient

from iluvatar_pxe.assets import folders
from iluvatar_pxe.assets.store import Listing, list_assets
from iluvatar_pxe.wire.tftp.packet import Data

KERNEL = "talos/v1/kernel-amd64"
STRANGER = 12345

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: links of other users")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody may enter, with an assets directory and another disk."""
    with directory_for_nobody() as directory:
        (directory / "assets" / "talos" / "v1").mkdir(parents=True)
        (directory / "disk").mkdir()
        (directory / "disk" / "kernel-amd64").write_text("kernel")
        yield directory


def listing(place: Path) -> Listing:
    return list_assets(place / "assets", Path("/nowhere"))


def linked(place: Path, target: str | Path, name: str = KERNEL, *, maker: int | None = None) -> Path:
    link = place / "assets" / name
    link.symlink_to(target)
    if maker is not None:
        os.lchown(link, maker, maker)
    return link


@pytest.mark.parametrize("target", ["../../../disk/kernel-amd64", "{place}/disk/kernel-amd64"])
def test_a_file_on_another_disk_is_served(place: Path, target: str) -> None:
    linked(place, target.format(place=place))
    found = listing(place)
    assert found.files[KERNEL].path == place / "disk" / "kernel-amd64", "no link is left to be changed later"
    assert (found.problem, found.links) == (None, {})


def test_a_folder_on_another_disk_is_served_and_one_that_leads_back_ends(place: Path) -> None:
    linked(place, place / "disk", "talos/v2")
    (place / "disk" / "back").symlink_to(place / "assets")
    (place / "disk" / ".hidden").touch()
    assert listing(place).names == {"talos/v2/kernel-amd64"}


def test_a_link_that_leads_nowhere_is_named(place: Path) -> None:
    link = linked(place, "/mnt/nas/kernel-amd64")
    found = listing(place)
    why = f"{link}: is a link to /mnt/nas/kernel-amd64: No such file or directory; correct or remove the link"
    assert (found.links, found.problem) == ({KERNEL: why}, why)


def test_a_folder_without_end_is_cut_short(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_FILES", 10)
    for number in range(20):
        (place / "assets" / str(number)).touch()
    found = listing(place)
    assert len(found.files) == 10
    assert found.problem == f"{place}/assets: has more than 10 files; only so many are served"


def test_tftp_and_http_serve_what_the_owner_linked(tmp_path: Path) -> None:
    disk, program = tmp_path / "disk", "ipxe/snponly.efi"
    disk.mkdir()
    (disk / "snponly.efi").write_bytes(b"MZ" * 1000)
    assets = tmp_path / "state" / "assets"
    assets.mkdir(parents=True)
    (assets / "ipxe").symlink_to(disk)
    (assets / "gone").symlink_to(tmp_path / "away")
    with Daemon(tmp_path) as daemon:
        assert daemon.get(f"/assets/{program}") == (200, b"MZ" * 1000)
        with TftpClient(daemon.tftp_port, program) as client:
            first = client.receive()
            assert isinstance(first, Data)
            assert client.finish(first) == b"MZ" * 1000
        assert f"{assets}/gone: is a link to {tmp_path}/away: " in daemon.ready()[1]["parts"]["assets"]


@needs_root
def test_a_stranger_may_link_to_what_he_may_read(place: Path) -> None:
    linked(place, place / "disk" / "kernel-amd64", maker=STRANGER)
    (place / "own").write_text("own")
    (place / "own").chmod(0o600)
    os.chown(place / "own", STRANGER, STRANGER)
    linked(place, place / "own", "own", maker=STRANGER)
    assert listing(place).names == {KERNEL, "own"}


@needs_root
@pytest.mark.parametrize("closed", ["disk", "disk/kernel-amd64"])
def test_a_stranger_gets_nothing_by_a_link_that_he_may_not_read(place: Path, closed: str) -> None:
    (place / closed).chmod(0o700 if closed == "disk" else 0o640)
    link = linked(place, place / "disk" / "kernel-amd64", maker=STRANGER)
    found = listing(place)
    assert KERNEL not in found.names
    assert found.problem == (
        f"{link}: user {STRANGER}, who linked it here, may not read it; make the link with sudo ln -s"
    )
    link.unlink()
    linked(place, place / "disk" / "kernel-amd64")
    assert listing(place).names == {KERNEL}, "root may link to anything"


@needs_root
def test_a_stranger_gets_nothing_by_a_link_behind_roots_link(place: Path) -> None:
    (place / "secret").write_text("secret")
    (place / "secret").chmod(0o600)
    linked(place, place / "theirs")
    (place / "theirs").symlink_to(place / "secret")
    os.lchown(place / "theirs", STRANGER, STRANGER)
    assert KERNEL not in listing(place).names


@needs_root
def test_a_stranger_gets_nothing_by_a_link_to_a_folder(place: Path) -> None:
    (place / "disk" / "secret").write_text("secret")
    (place / "disk" / "secret").chmod(0o640)
    linked(place, place / "disk", "theirs", maker=STRANGER)
    found = listing(place)
    assert found.names == {"theirs/kernel-amd64"}
    assert set(found.links) == {"theirs/secret"}
