"""Which files of a stick are imported, and how they are copied to the daemon."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.full_disk import no_file_larger_than
from support.one_thread import begin, cancel
from support.partition_tables import BOOT, ROOT, mbr
from support.waiting import until
from support.wanted import wanted

from iluvatar_pxe.admin.assets import asset_data
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.assets import space
from iluvatar_pxe.assets.brought import staging
from iluvatar_pxe.assets.download.sums import LARGEST_LIST
from iluvatar_pxe.catalogue.download import SumsFile, Unpack
from iluvatar_pxe.cli.assets.importing import copied
from iluvatar_pxe.cli.assets.matching import Found, Seen, found_in
from iluvatar_pxe.cli.assets.staging import Opened, copy, files_below
from iluvatar_pxe.errors import AssetError, ControlError, OperationError

OLD, NEW = "talos/37/v1.12.0/kernel-amd64", "talos/37/v1.13.9/kernel-amd64"
PI = "raspberry-pi/ubuntu.img.xz"


def row(name: str, *urls: str, sums: SumsFile | None = None) -> Data:
    data = asset_data(wanted(name, sums))
    return data | {"urls": list(urls)} if urls else data


ROWS = [
    row(OLD),
    row(NEW),
    row(
        PI,
        "https://ubuntu.example/24.04/ubuntu-24.04.3-arm64%2Braspi.img.xz?mirror=1",
        sums=SumsFile(
            ("https://ubuntu.example/24.04/SHA256SUMS",), "sha256", "n", ("https://a/SHA256SUMS.gpg",)
        ),
    ),
]


def found(*paths: str, given: bool = False) -> tuple[list[Found], list[str]]:
    """Return which files of these are wanted ones, and what is refused."""
    refused: list[str] = []
    files = [Seen(Path(path), is_given=given) for path in paths]
    return list(found_in(files, ROWS, refused.append)), refused


def below(*paths: Path) -> tuple[list[Path], list[str]]:
    """Return the files below these paths, and what is refused."""
    refused: list[str] = []
    return [one.path for one in files_below(paths, refused.append)], refused


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"/stick/{NEW}", NEW),
        ("/stick/v1.12.0/kernel-amd64", OLD),
        ("/stick/ubuntu-24.04.3-arm64+raspi.img.xz", PI),
        ("/stick/ubuntu.img.xz", PI),
    ],
)
def test_a_file_is_known_by_its_name_or_its_address(path: str, name: str) -> None:
    ((one,), refused) = found(path)
    assert (one.path, one.name, refused) == (Path(path), name, [])


def test_what_checks_it_is_looked_for_beside_it() -> None:
    ((one,), _) = found("/stick/ubuntu.img.xz")
    assert one.beside == ("SHA256SUMS", "SHA256SUMS.gpg")


def test_others_are_left_alone_unless_they_are_named() -> None:
    assert found("/stick/README", "/stick/talos/37") == ([], [])
    refusal = "/stick/README: no wanted file has this name; to see them: iluvatar-pxe assets status"
    assert found("/stick/README", given=True) == ([], [refusal])


def test_a_name_of_several_files_is_refused_and_no_other() -> None:
    ((one,), refused) = found("/stick/kernel-amd64", "/stick/ubuntu.img.xz")
    assert one.name == PI
    assert refused == [f"/stick/kernel-amd64: may be {OLD} or {NEW}; put it into folders of that name"]


def test_files_below_a_directory(tmp_path: Path) -> None:
    for name in ("b/two", "a", ".hidden/three", "b/.four"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    none = tmp_path / "none"
    refusal = f"{none}: No such file or directory; correct the path, or make it readable"
    assert below(none, tmp_path) == ([tmp_path / "a", tmp_path / "b/two"], [refusal])


def other_than_a_file(kind: str, path: Path) -> None:
    """Make a link to a file outside, a FIFO that nobody writes to, or a socket."""
    if kind == "link":
        secret = path.parent.parent / "secret"
        secret.write_text("root only")
        path.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))


@pytest.mark.parametrize("kind", ["link", "fifo", "socket"])
@pytest.mark.parametrize("name", ["image", "SHA256SUMS"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str, name: str) -> None:
    """Neither the file nor what checks it: root imports, and what it imports is served."""
    stick = tmp_path / "stick"
    stick.mkdir()
    other_than_a_file(kind, stick / name)
    if name != "image":
        (stick / "image").touch()
    ((image,), _) = below(stick / "image")
    with ExitStack() as files, pytest.raises(OperationError) as caught:
        Opened.of(Found(image, PI, ("SHA256SUMS",)), files)
    assert str(caught.value) == (
        f"{stick / name}: is not a regular file; links are not followed: put the file itself there"
    )


def test_no_folder_between_becomes_a_link(tmp_path: Path) -> None:
    """It was a directory when the stick was read; a link that was given itself is followed."""
    (tmp_path / "stick/talos").mkdir(parents=True)
    (tmp_path / "stick/talos/kernel").touch()
    (tmp_path / "given").symlink_to(tmp_path / "stick")
    ((kernel,), _) = below(tmp_path / "given")
    assert kernel == tmp_path / "stick/talos/kernel"
    (tmp_path / "stick/talos").rename(tmp_path / "elsewhere")
    (tmp_path / "stick/talos").symlink_to(tmp_path / "elsewhere")
    with ExitStack() as files, pytest.raises(AssetError, match=r"is behind a link"):
        Opened.of(Found(kernel, NEW, ()), files)


def test_a_file_is_copied_with_what_checks_it(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    image, sums = tmp_path / "stick/image", tmp_path / "stick/SHA256SUMS"
    image.write_bytes(b"x" * (3 << 20))
    sums.write_text("list")
    heard: list[int] = []
    with ExitStack() as files, staging(tmp_path) as folder:
        opened = Opened.of(Found(image, PI, ("SHA256SUMS", "none.gpg")), files)
        path = copy(opened, folder, heard.append)
        assert path.read_bytes() == image.read_bytes()
        assert {one.name for one in path.parent.iterdir()} == {"image", "SHA256SUMS"}
        with pytest.raises(ControlError, match=r"another import runs"), staging(tmp_path):
            pass
        assert path.exists()
    assert heard == [1 << 20, 2 << 20, 3 << 20]
    assert list(folder.iterdir()) == []


def refused_copy(opened: Opened, folder: Path, size: int = -1) -> str:
    """Return why a copy is refused, of which nothing stays, on a disk that takes files of ``size`` bytes."""
    with no_file_larger_than(size), pytest.raises(AssetError) as caught:
        copy(opened, folder, lambda _: None)
    assert list(folder.iterdir()) == []
    return str(caught.value)


@pytest.mark.parametrize("lost", [1, 8192, 3 << 20])
def test_a_copy_is_whole_or_none_if_the_disk_is_full_for_a_moment(tmp_path: Path, lost: int) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"x" * (3 << 20))
    with ExitStack() as files, staging(tmp_path) as folder:
        opened = Opened.of(Found(image, PI), files)
        assert refused_copy(opened, folder, image.stat().st_size - lost) == (
            f"{PI}: cannot be copied to {folder}: File too large; try another stick or disk"
        )


async def test_a_copy_that_is_interrupted_ends_and_leaves_nothing(tmp_path: Path) -> None:
    """Not only when it has copied gigabytes."""
    image, stick = os.pipe()
    with ExitStack() as files, staging(tmp_path) as folder, os.fdopen(stick, "wb", 0) as rest:
        file = files.enter_context(os.fdopen(image, "rb", 0))
        os.set_blocking(rest.fileno(), False)
        opened = Opened(PI, tmp_path / "image", file, 1 << 20, Unpack.NONE, {})
        copying = await begin(copied(opened, folder, lambda _: None))
        await until(lambda: any(folder.iterdir()))
        copying.cancel()
        await until(lambda: copying.done() or rest.write(b"more") is None)
        await cancel(copying)
        assert not any(folder.iterdir())


@pytest.mark.parametrize("size", [0, 5])
def test_a_file_that_changes_while_it_is_copied_is_refused(tmp_path: Path, size: int) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"four")
    with ExitStack() as files, staging(tmp_path) as folder:
        opened = Opened.of(Found(image, PI), files)
        os.truncate(image, size)
        refusal = f"{PI}: {image} was changed while it was copied; import it again"
        assert refused_copy(opened, folder) == refusal


@pytest.mark.parametrize("unpack", list(Unpack))
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, unpack: Unpack) -> None:
    """This one fails as a file on a failing stick does: from the first byte on."""
    with ExitStack() as files, staging(tmp_path) as folder:
        nothing = files.enter_context(Path("/proc/self/mem").open("rb", buffering=0))
        opened = Opened(PI, tmp_path / "image", nothing, 1, unpack, {})
        assert refused_copy(opened, folder) == (
            f"{PI}: cannot be copied to {folder}: Input/output error; try another stick or disk"
        )


def test_no_more_is_copied_of_a_list_than_one_may_have(tmp_path: Path) -> None:
    image, sums = tmp_path / "image", tmp_path / "SHA256SUMS"
    image.touch()
    with sums.open("wb") as file:
        file.truncate(1 << 43)  # a hole of 8 TiB
    with ExitStack() as files, staging(tmp_path) as folder:
        opened = Opened.of(Found(image, PI, ("SHA256SUMS",)), files)
        path = copy(opened, folder, lambda _: None)
        assert opened.needs == path.with_name("SHA256SUMS").stat().st_size == LARGEST_LIST + 1


def test_a_list_may_have_the_name_that_the_file_is_served_by(tmp_path: Path) -> None:
    image, sums = tmp_path / "image", tmp_path / Path(PI).name
    image.write_text("image")
    sums.write_text("list")
    with ExitStack() as files, staging(tmp_path) as folder:
        path = copy(Opened.of(Found(image, PI, (sums.name,)), files), folder, lambda _: None)
        assert (path.read_text(), path.with_name(sums.name).read_text()) == ("image", "list")


def test_a_list_of_the_files_own_name_is_refused(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.touch()
    with (
        ExitStack() as files,
        pytest.raises(OperationError, match=r"image: the publisher's list has the same name"),
    ):
        Opened.of(Found(image, PI, ("image",)), files)


def test_an_image_is_copied_only_if_there_is_room_for_what_it_is_unpacked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "RESERVE", 1 << 60)
    image = tmp_path / "image"
    image.write_bytes(mbr(BOOT, ROOT))
    with ExitStack() as files, staging(tmp_path) as folder:
        opened = Opened.of(Found(image, PI, unpack=Unpack.PI_IMAGE), files)
        with pytest.raises(AssetError, match=r"GB more are needed, also to unpack it; make room"):
            copy(opened, folder, lambda _: None)
        assert list(folder.iterdir()) == []


def test_a_full_disk_is_named_before_anything_is_copied(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(1 << 43)  # a hole of 8 TiB
    with ExitStack() as files, staging(tmp_path) as folder:
        with pytest.raises(
            AssetError, match=r"no space left in .*: .* GB more are needed; .* assets gc$"
        ) as caught:
            copy(Opened.of(Found(image, PI, ()), files), folder, lambda _: None)
        assert list(folder.iterdir()) == []
    assert str(caught.value).isprintable()
