"""Archives and images become assets: whole, or not at all, and what a Pi is served of them."""

import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from structlog.testing import capture_logs
from support.archives import ipxe_archive
from support.fleets import fleet_of
from support.full_disk import no_file_larger_than
from support.machines import machine_of
from support.pi import MACS, pi
from support.pi_images import (
    BOOT_SIZE,
    BOOT_START,
    MIB,
    RASPBERRY_PI_OS,
    ROOT_SIZE,
    ROOT_START,
    UBUNTU_24_04,
    UBUNTU_26_04,
    VERSIONS,
    Layout,
    make_image,
    needs_tools,
    place,
)
from support.plans import plan_for
from support.rights import NOBODY, directory_for_nobody

from iluvatar_pxe.assets import space
from iluvatar_pxe.assets.store import list_assets
from iluvatar_pxe.assets.unpack import image as module
from iluvatar_pxe.assets.unpack.image import check_names
from iluvatar_pxe.assets.unpack.unpack import WORK, remove_leftovers, unpack
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.chains.raspberry_pi import ROOT_PARTITION
from iluvatar_pxe.boot.plan import ServePiFiles
from iluvatar_pxe.catalogue.download import Download, FirstUse, Unpack
from iluvatar_pxe.catalogue.provisioning import TOOL_FILES
from iluvatar_pxe.errors import AssetError, DiskError, UnpackError
from iluvatar_pxe.machines.fingerprint import from_dhcp
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.raspberry_pi import Generation
from iluvatar_pxe.machines.states import Assignment, Role

FOLDER = "raspberry-pi/image"
IMAGE = Download(
    name="raspberry-pi/image.img.xz",
    version="1",
    urls=(),
    check=FirstUse(),
    unpack=Unpack.PI_IMAGE,
    folder=FOLDER,
)
ARCHIVE = Download(
    name="ipxe/ipxeboot.tar.gz",
    version="2.0.0",
    urls=(),
    check=FirstUse(),
    unpack=Unpack.ARCHIVE,
    members={
        "ipxeboot/sb/snponly-shim.efi": "ipxe/sb/snponly-shim.efi",
        "ipxeboot/snponly.efi": "ipxe/snponly.efi",
    },
)
PROGRAMS = {"ipxe/sb/snponly-shim.efi": b"shim" * 700, "ipxe/snponly.efi": b"x86" * 2000}
GIVEN = Assignment(
    name="varda", layer="ainur", role=Role.AGENT, rule="rule 1", at=datetime(2026, 1, 1, tzinfo=UTC)
)
LAYOUTS = {
    "ubuntu-24.04": Layout(boot=UBUNTU_24_04),
    "ubuntu-26.04": Layout(boot=UBUNTU_26_04),
    "raspberry-pi-os": Layout(boot=RASPBERRY_PI_OS),
    "gpt": Layout(boot=UBUNTU_26_04, table="gpt", fat=16),
}


def silent(_done: int, _size: int | None) -> None:
    pass


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def of(layout: str) -> Path:
        if layout not in made:
            made[layout] = make_image(tmp_path_factory.mktemp(layout), LAYOUTS[layout])
        return made[layout]

    return of


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    directory = tmp_path / "assets"
    directory.mkdir()
    return directory


def served(assets: Path) -> dict[str, bytes]:
    """Return what the daemon would serve of a directory."""
    listing = list_assets(assets, assets / "no-programs-of-the-system")
    assert listing.problems == ()
    return {name: listed.path.read_bytes() for name, listed in listing.files.items()}


def plan_of(assets: Path, generation: Generation) -> ServePiFiles:
    mac = MACS[generation]
    fleet = fleet_of(
        ("varda", mac, "layer: ainur\nrole: agent\n"),
        ainur="image: image\n",
    )
    ready = list_assets(assets, assets / "none").names | {*TOOL_FILES.values()}
    found = plan_for(
        from_dhcp(pi(generation)),
        Snapshot.of([machine_of(mac, assignment=GIVEN)]),
        fleet,
        Context(ready=ready),
    )
    assert isinstance(found, ServePiFiles), found
    return found


def test_an_archive_becomes_assets(tmp_path: Path, assets: Path) -> None:
    archive = tmp_path / "a"
    archive.write_bytes(ipxe_archive())
    (assets / "ipxe").mkdir()
    (assets / "ipxe/snponly.efi").write_bytes(b"an older one")
    unpack(ARCHIVE, archive, assets, silent)
    assert served(assets) == PROGRAMS


@needs_tools
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_image_of_each_layout_becomes_boot_files_and_a_root_file_system(
    images: Callable[[str], Path], assets: Path, layout: str
) -> None:
    image = images(layout)
    unpack(IMAGE, image, assets, silent)
    found = served(assets)
    facts = json.loads(found.pop(f"{FOLDER}/facts.json"))
    root, boot = (found.pop(f"{FOLDER}/{name}.img.zst") for name in ("root", "boot"))
    assert found == {f"{FOLDER}/{name}": content for name, content in LAYOUTS[layout].boot.items()}
    content = image.read_bytes()
    assert facts["boot"] == {
        "file": "boot.img.zst",
        "start": BOOT_START,
        "sha256": hashlib.sha256(boot).hexdigest(),
        "size": len(boot),
        "uncompressed_size": BOOT_SIZE,
    }
    decoded = zstandard.ZstdDecompressor().decompress(boot)
    assert decoded == content[BOOT_START : BOOT_START + BOOT_SIZE]
    assert facts["root"] == {
        "file": "root.img.zst",
        "start": ROOT_START,
        "sha256": hashlib.sha256(root).hexdigest(),
        "size": len(root),
        "uncompressed_size": ROOT_SIZE,
    }
    assert (
        zstandard.ZstdDecompressor().decompress(root)
        == image.read_bytes()[ROOT_START : ROOT_START + ROOT_SIZE]
    )
    assert facts["packages"] == VERSIONS


@needs_tools
@pytest.mark.parametrize(
    ("layout", "kernels", "initramfs"),
    [
        ("ubuntu-24.04", ["vmlinuz"], ["initrd.img"]),
        ("ubuntu-26.04", ["current/vmlinuz"], ["current/initrd.img"]),
        ("raspberry-pi-os", ["kernel8.img", "kernel_2712.img"], ["initramfs8", "initramfs_2712"]),
    ],
)
def test_each_generation_of_pi_boots_of_each_layout(
    images: Callable[[str], Path], assets: Path, layout: str, kernels: list[str], initramfs: list[str]
) -> None:
    unpack(IMAGE, images(layout), assets, silent)
    facts = json.loads((assets / FOLDER / "facts.json").read_text())
    assert (facts["kernels"], facts["initramfs"]) == (kernels, initramfs)
    for generation in Generation:
        plan = plan_of(assets, generation)
        assert {plan.files[plan.kernel], plan.files[plan.initramfs]} <= {
            f"{FOLDER}/{name}" for name in (*kernels, *initramfs)
        }
        assert "overlays/overlay_map.dtb" in plan.files
        assert not plan.files.keys() & {
            "autoboot.txt",
            "user-data",
            "config.txt",
            "root.img.zst",
            "facts.json",
        }
        assert plan.cmdline.endswith("/cmdline.txt")


@needs_tools
@pytest.mark.parametrize(
    "compress", [lambda data: lzma.compress(data, preset=0), zstandard.ZstdCompressor().compress]
)
def test_a_compressed_image_is_unpacked_while_it_streams(
    images: Callable[[str], Path], tmp_path: Path, assets: Path, compress: Callable[[bytes], bytes]
) -> None:
    image = tmp_path / "image"
    image.write_bytes(compress(images("ubuntu-24.04").read_bytes()))
    reports: list[tuple[int, int | None]] = []
    unpack(IMAGE, image, assets, lambda done, size: reports.append((done, size)))
    assert (assets / FOLDER / "vmlinuz").read_bytes() == UBUNTU_24_04["vmlinuz"]
    assert reports == sorted(reports)
    assert {size for _, size in reports} == {image.stat().st_size}


@needs_tools
def test_a_newer_image_replaces_the_folder_as_a_whole(images: Callable[[str], Path], assets: Path) -> None:
    unpack(IMAGE, images("ubuntu-24.04"), assets, silent)
    unpack(IMAGE, images("ubuntu-26.04"), assets, silent)
    assert served(assets).keys() == {
        f"{FOLDER}/{name}" for name in (*UBUNTU_26_04, "boot.img.zst", "root.img.zst", "facts.json")
    }


@needs_tools
def test_a_folder_that_somebody_filled_is_left_alone(images: Callable[[str], Path], assets: Path) -> None:
    (assets / FOLDER).mkdir(parents=True)
    (assets / FOLDER / "vmlinuz").write_bytes(b"my own")
    with pytest.raises(UnpackError, match=r"has no place: .* was not unpacked by iluvatar-pxe; move it away"):
        unpack(IMAGE, images("ubuntu-24.04"), assets, silent)
    assert served(assets) == {f"{FOLDER}/vmlinuz": b"my own"}


@needs_tools
def test_files_that_are_too_large_for_old_firmware_are_named_at_once(
    images: Callable[[str], Path], assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {name: len(content) for name, content in UBUNTU_24_04.items()}
    most = sorted(sizes.values())[-3]
    monkeypatch.setattr(module, "LARGEST_FILE", most)
    large = sorted(name for name, size in sizes.items() if size > most)
    with capture_logs() as logs:
        unpack(IMAGE, images("ubuntu-24.04"), assets, silent)
    assert json.loads((assets / FOLDER / "facts.json").read_text())["too_large"] == large
    assert [log["files"] for log in logs if log["event"] == "unpack.large_files"] == [large]
    assert len(large) == 2


@needs_tools
def test_without_debugfs_versions_are_skipped_and_it_says_so(
    images: Callable[[str], Path], assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "debugfs_path", lambda: None)
    with capture_logs() as logs:
        unpack(IMAGE, images("ubuntu-24.04"), assets, silent)
    assert json.loads((assets / FOLDER / "facts.json").read_text())["packages"] is None
    assert [log["why"] for log in logs] == ["debugfs is missing: sudo apt-get install e2fsprogs"]


@needs_tools
def test_an_image_without_dpkg_has_no_versions(tmp_path: Path, assets: Path) -> None:
    unpack(IMAGE, make_image(tmp_path, Layout(status=None)), assets, silent)
    assert json.loads((assets / FOLDER / "facts.json").read_text())["packages"] == {}


def cut(size: int) -> Callable[[Path], None]:
    return lambda image: os.truncate(image, size)


def overwritten(at: int, data: bytes) -> Callable[[Path], None]:
    return lambda image: place(image, at, data)


NO_TABLE = "has no partition table: its first sector lacks the signature; it is no disk image"


@needs_tools
@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (cut(1000), "is too short for a disk image; fetch it again"),
        (cut(BOOT_START + MIB), f"ends {BOOT_SIZE - MIB} bytes too early; fetch it again"),
        (cut(ROOT_START + MIB), f"ends {ROOT_SIZE - MIB} bytes too early; fetch it again"),
        (overwritten(510, b"??"), NO_TABLE),
        (overwritten(0, b"<!DOCTYPE html>".ljust(512)), NO_TABLE),
        (
            overwritten(BOOT_START, bytes(4096)),
            "has no FAT file system in its first partition; use a Raspberry Pi image",
        ),
        (
            overwritten(ROOT_START, bytes(4096)),
            "has no ext4 file system in its second partition; use a Raspberry Pi image",
        ),
        (
            overwritten(ROOT_START + 1100, b"\xff" * 20),
            "has a damaged ext4 file system: its superblock's checksum is wrong; fetch it again",
        ),
    ],
)
def test_a_broken_image_is_told_in_one_line_and_nothing_is_served(
    images: Callable[[str], Path], tmp_path: Path, assets: Path, damage: Callable[[Path], None], fault: str
) -> None:
    image = tmp_path / "image"
    image.write_bytes(images("ubuntu-24.04").read_bytes())
    damage(image)
    with pytest.raises(UnpackError) as raised:
        unpack(IMAGE, image, assets, silent)
    assert str(raised.value) == f"{IMAGE.name}: {fault}"
    assert served(assets) == {}
    assert list((assets / WORK).iterdir()) == []


@needs_tools
def test_a_root_file_system_whose_insides_are_gone_is_told(
    images: Callable[[str], Path], tmp_path: Path, assets: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(images("ubuntu-24.04").read_bytes())
    place(image, ROOT_START + 2048, b"\xa5" * (ROOT_SIZE - 2048))
    with pytest.raises(
        UnpackError,
        match=r"^raspberry-pi/image\.img\.xz: has a damaged ext4 file system: .+; fetch it again$",
    ):
        unpack(IMAGE, image, assets, silent)
    assert served(assets) == {}


@needs_tools
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("facts.json", "has 'facts.json' in its boot partition, a name that is taken; use another image"),
        (
            "root.img.zst/x",
            "has 'root.img.zst/x' in its boot partition, a name that is taken; use another image",
        ),
    ],
)
def test_a_file_of_an_image_that_cannot_be_there_is_named(
    tmp_path: Path, assets: Path, name: str, fault: str
) -> None:
    image = make_image(tmp_path, Layout(boot={**UBUNTU_24_04, name: b"x"}))
    with pytest.raises(UnpackError) as raised:
        unpack(IMAGE, image, assets, silent)
    assert str(raised.value) == f"{IMAGE.name}: {fault}"
    assert served(assets) == {}


@pytest.mark.parametrize(
    ("paths", "fault"),
    [
        (["\u20ac" * 100], "a name that is too long; use another image"),
        (["/".join(["long" * 20] * 30)], "a name that is too long; use another image"),
        (["a/b", "a"], "has 'a' twice, as a file and as a folder; use another image"),
    ],
)
def test_names_that_linux_does_not_take_are_told(paths: list[str], fault: str) -> None:
    with pytest.raises(UnpackError, match=f"{re.escape(fault)}$"):
        check_names(paths)


@needs_tools
def test_an_image_without_a_kernel_is_refused(tmp_path: Path, assets: Path) -> None:
    image = make_image(tmp_path, Layout(boot={"start4.elf": b"x", "KERNEL8.IMG": b"case counts"}))
    with pytest.raises(
        UnpackError, match=r"has no kernel in its first partition \(boot\.img, kernel8\.img, "
    ):
        unpack(IMAGE, image, assets, silent)
    assert served(assets) == {}


@needs_tools
@pytest.mark.parametrize("size", [1000, ROOT_SIZE, BOOT_SIZE - 1])
def test_a_disk_that_fills_in_the_middle_is_told_and_nothing_stays(
    images: Callable[[str], Path], assets: Path, size: int
) -> None:
    with (
        no_file_larger_than(size),
        pytest.raises(
            DiskError,
            match=r"^raspberry-pi/image\.img\.xz: cannot be unpacked below .*/assets: .+; correct that$",
        ),
    ):
        unpack(IMAGE, images("ubuntu-24.04"), assets, silent)
    assert served(assets) == {}
    assert list((assets / WORK).iterdir()) == []


def test_a_file_in_the_way_is_told_and_left_alone(tmp_path: Path, assets: Path) -> None:
    (tmp_path / "a").write_bytes(ipxe_archive())
    (assets / "ipxe").write_bytes(b"not a folder")
    with pytest.raises(
        DiskError, match=r"^ipxe/ipxeboot\.tar\.gz: cannot be unpacked below .*/assets: .+; correct that$"
    ):
        unpack(ARCHIVE, tmp_path / "a", assets, silent)
    assert served(assets) == {"ipxe": b"not a folder"}


def test_missing_space_is_told_with_the_name(
    tmp_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "RESERVE", 1 << 60)
    (tmp_path / "a").write_bytes(ipxe_archive())
    with pytest.raises(
        DiskError,
        match=r"^ipxe/ipxeboot\.tar\.gz: cannot be unpacked: no space left in .*: \d+\.\d GB more are needed; make room",
    ):
        unpack(ARCHIVE, tmp_path / "a", assets, silent)
    assert served(assets) == {}


def test_what_the_report_raises_ends_the_work_and_nothing_stays(tmp_path: Path, assets: Path) -> None:
    class StopError(AssetError):
        pass

    def stop(_done: int, _size: int | None) -> None:
        raise StopError

    (tmp_path / "a").write_bytes(ipxe_archive())
    with pytest.raises(StopError):
        unpack(ARCHIVE, tmp_path / "a", assets, stop)
    assert served(assets) == {}
    assert list((assets / WORK).iterdir()) == []


@needs_tools
@pytest.mark.parametrize(
    ("there", "missing"), [("config.txt", ROOT_PARTITION), (ROOT_PARTITION, "facts.json")]
)
def test_an_image_is_given_up_while_its_files_are_copied_or_its_root_is_compressed(
    images: Callable[[str], Path], assets: Path, there: str, missing: str
) -> None:
    class GivenUpError(AssetError):
        pass

    def report(_done: int, _size: int | None) -> None:
        found = {path.name for path in (assets / WORK).glob("*/new/*")}
        if there in found and missing not in found:
            raise GivenUpError

    with pytest.raises(GivenUpError):
        unpack(IMAGE, images("ubuntu-24.04"), assets, report)
    assert list((assets / WORK).iterdir()) == []


@needs_tools
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are given away")
def test_what_root_unpacks_belongs_to_the_service(images: Callable[[str], Path], tmp_path: Path) -> None:
    """``sudo iluvatar-pxe assets import`` while no daemon runs. debugfs reads the image as that user."""
    (tmp_path / "a").write_bytes(ipxe_archive())
    with directory_for_nobody() as assets:
        os.chown(assets, NOBODY, NOBODY)
        unpack(ARCHIVE, tmp_path / "a", assets, silent)
        unpack(IMAGE, images("ubuntu-26.04"), assets, silent)
        assert {path.stat().st_uid for path in assets.rglob("*")} == {NOBODY}
        assert json.loads((assets / FOLDER / "facts.json").read_text())["packages"] == VERSIONS


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from assets.unpack import test_unpack as t
reports = 0
def report(done, size):
    global reports
    reports += 1
    if reports == {moment}:
        print("now", flush=True)
        time.sleep(600)
t.unpack(t.IMAGE, Path({image!r}), Path({assets!r}), report)
"""


@needs_tools
@pytest.mark.parametrize("moment", [1, 30, 45])
def test_killed_in_the_middle_nothing_is_served_and_the_next_attempt_succeeds(
    images: Callable[[str], Path], assets: Path, moment: int
) -> None:
    image = images("ubuntu-24.04")
    script = KILLED.format(
        tests=str(Path(__file__).parents[2]), moment=moment, image=str(image), assets=str(assets)
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"now\n"
        process.kill()
    assert (assets / WORK).exists()
    assert served(assets) == {}
    unpack(IMAGE, image, assets, silent)
    assert (assets / FOLDER / "vmlinuz").read_bytes() == UBUNTU_24_04["vmlinuz"]
    assert list((assets / WORK).iterdir()) == []


def test_leftovers_of_what_nobody_wants_any_more_are_removed(assets: Path) -> None:
    remove_leftovers(assets)
    (assets / WORK / "old/new").mkdir(parents=True)
    remove_leftovers(assets)
    assert list(assets.iterdir()) == []
