"""The catalogue that comes with the daemon: every entry can be fetched, and every file has one way to be checked."""

import re
from pathlib import Path

import pytest

from iluvatar_pxe.boot.programs import PROGRAM_FOLDER, PROGRAMS
from iluvatar_pxe.catalogue.download import Digest, Download, FirstUse, SumsFile, Unpack
from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import AssetsPart, parse_catalogue
from iluvatar_pxe.catalogue.names import FIRMWARE, IMAGES, NAMES
from iluvatar_pxe.catalogue.resolve import downloads
from iluvatar_pxe.catalogue.wish import Wish
from iluvatar_pxe.resources import data_directory, read_catalogue
from iluvatar_pxe.wire.pxe import CpuArch

BUNDLED = parse_catalogue(read_catalogue())
SCHEMATIC = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
GUIDE = (Path(__file__).parents[2] / "docs" / "assets.md").read_text(encoding="utf-8")
LAYER = (data_directory("boot_assets") / "fleet" / "layers" / "ainur.yaml").read_text(encoding="utf-8")
IMAGE = {
    "raspios-lite": "raspios-lite-2026-09-15",
    "ubuntu-24.04": "ubuntu-24.04.5",
    "ubuntu-26.04": "ubuntu-26.04.1",
}


def fetched(wish: Wish, **versions: str) -> tuple[Download, ...]:
    return downloads(BUNDLED, AssetsPart(versions=versions), AssetsLock(), [wish])


def every(entry: str) -> tuple[Download, ...]:
    """Return all that an entry brings, in any architecture."""
    if entry in IMAGES:
        return fetched(Wish(image=IMAGE[entry], wanted_by="a test"))
    version = {"talos": "v1.13.9", "k3s": "v1.37.1+k3s1"}.get(entry)
    return fetched(Wish(entry=entry, version=version, schematic=SCHEMATIC, wanted_by="a test"))


def test_the_names_that_a_fleet_is_checked_by_are_those_of_the_catalogue() -> None:
    assert set(BUNDLED.entries) == NAMES
    assert {name for name, entry in BUNDLED.entries.items() if entry.image} == set(IMAGES)


@pytest.mark.parametrize("entry", sorted(NAMES))
def test_an_entry_says_what_it_is_and_can_be_fetched(entry: str) -> None:
    assert BUNDLED.entries[entry].about
    assert f"`{entry}`" in GUIDE
    got = every(entry)
    assert len({one.name for one in got}) == len(got) >= 1
    for one in got:
        assert all(re.fullmatch(r"https://[a-z.]+/[!-~]*[\w]", url) and "+" not in url for url in one.urls)
        assert not re.search(
            r"[{}]", f"{one.urls} {one.check} {one.name} {one.folder}{list(one.members)}".replace("{}", "")
        )
        assert one.version in one.name
        assert (one.unpack is Unpack.PI_IMAGE) == (one.folder != "")


@pytest.mark.parametrize("entry", sorted(NAMES))
def test_the_documents_have_its_version(entry: str) -> None:
    known = BUNDLED.entries[entry]
    table = GUIDE.partition("## The catalogue")[2].partition("## ")[0]
    (row,) = [line for line in table.splitlines() if f"`{entry}`" in line]
    if known.image:
        name = known.image.replace("{version}", str(known.version))
        assert f"`{name}`" in GUIDE
        assert name in LAYER
        assert IMAGE[entry] == name
    elif known.version:
        assert known.version in row


def test_no_two_downloads_give_the_same_asset() -> None:
    given = [asset for entry in NAMES for one in every(entry) for asset in (one.name, *one.members.values())]
    assert sorted(given) == sorted(set(given))


def test_what_a_signed_list_is_checked_with_comes_with_the_daemon() -> None:
    keys = {path.stem for path in (data_directory("boot_assets") / "keys").glob("*.asc")}
    checks = [one.check for entry in NAMES for one in every(entry)]
    assert {check.key for check in checks if isinstance(check, SumsFile)} - {""} == keys


def test_only_these_are_pinned_by_their_first_download() -> None:
    unchecked = {entry for entry in NAMES for one in every(entry) if isinstance(one.check, FirstUse)}
    charts = {name for name in NAMES if name.startswith("chart-")}
    manifests = {"argo-cd", "longhorn", "metallb", "system-upgrade-controller"}
    eeproms = {"raspberry-pi-eeprom-2711", "raspberry-pi-eeprom-2712"}
    assert unchecked == {"talos", *FIRMWARE, *eeproms, *manifests, *charts}


def test_ipxe_has_a_program_for_all_firmware_but_32_bit_uefi() -> None:
    (ipxe,) = every("ipxe")
    given = set(ipxe.members.values())
    for (_, arch), programs in PROGRAMS.items():
        names = {f"{PROGRAM_FOLDER}/{program}" for program in programs}
        assert (names <= given) == (arch is not CpuArch.I386)
    assert isinstance(ipxe.check, Digest)


@pytest.mark.parametrize(("folder", "shim"), [("x86_64-sb", "shimx64.efi"), ("arm64-sb", "shimaa64.efi")])
def test_ipxe_brings_the_signed_programs_each_beside_its_shim(folder: str, shim: str) -> None:
    """A shim loads the file of its own name without ``-shim`` from its own folder."""
    (ipxe,) = every("ipxe")
    names = {shim, "snponly.efi", "snponly-shim.efi", "ipxe.efi", "ipxe-shim.efi"}
    assert {f"ipxe/{folder}/{name}" for name in names} <= set(ipxe.members.values())
    assert all(ipxe.members[f"ipxeboot/{folder}/{name}"] == f"ipxe/{folder}/{name}" for name in names)


def test_talos_is_laid_out_as_image_factory_serves_it() -> None:
    kernel, initramfs = fetched(
        Wish(entry="talos", version="v1.14.0", schematic=SCHEMATIC, arch="arm64", wanted_by="x")
    )
    base = f"{SCHEMATIC}/v1.14.0"
    assert kernel.name == f"talos/{base}/kernel-arm64"
    assert kernel.urls == (f"https://factory.talos.dev/image/{base}/kernel-arm64",)
    assert initramfs.name == f"talos/{base}/initramfs-arm64.xz"
    assert kernel.builds
    assert initramfs.builds


def test_a_plus_in_a_version_is_quoted_in_addresses_alone() -> None:
    program, images = fetched(Wish(entry="k3s", arch="arm64", wanted_by="x"), k3s="v1.37.1+k3s1")
    base = "https://github.com/k3s-io/k3s/releases/download/v1.37.1%2Bk3s1"
    assert (program.name, program.urls) == ("k3s/v1.37.1+k3s1/k3s-arm64", (f"{base}/k3s-arm64",))
    assert program.check == SumsFile((f"{base}/sha256sum-arm64.txt",), "sha256", "k3s-arm64")
    assert images.name == "k3s/v1.37.1+k3s1/k3s-airgap-images-arm64.tar.zst"
    (amd64, _) = fetched(Wish(entry="k3s", arch="amd64", wanted_by="x"), k3s="v1.37.1+k3s1")
    assert (amd64.name, amd64.urls) == ("k3s/v1.37.1+k3s1/k3s-amd64", (f"{base}/k3s",))


@pytest.mark.parametrize("release", ["24.04.5", "24.04.6", "26.04.1"])
def test_an_ubuntu_image_is_checked_by_canonicals_signed_list(release: str) -> None:
    (image,) = fetched(Wish(image=f"ubuntu-{release}", wanted_by="x"))
    folder = f"https://cdimage.ubuntu.com/releases/{release[:5]}/release"
    name = f"ubuntu-{release}-preinstalled-server-arm64+raspi.img.xz"
    assert image.urls == (f"{folder}/{name.replace('+', '%2B')}",)
    assert image.check == SumsFile(
        (f"{folder}/SHA256SUMS",), "sha256", name, (f"{folder}/SHA256SUMS.gpg",), "ubuntu-cdimage"
    )
    assert image.folder == f"raspberry-pi/ubuntu-{release}"
    assert image.withdrawn, "the next point release replaces it"


def test_raspberry_pi_os_has_two_dates() -> None:
    (image,) = fetched(Wish(image="raspios-lite-2026-06-18", wanted_by="x"))
    assert "/raspios_lite_arm64-2026-06-19/2026-06-18-raspios-trixie-" in image.urls[0]
    assert isinstance(image.check, SumsFile), "the catalogue's checksum is that of another release"


def test_a_point_release_that_its_publisher_took_away_is_checked_by_its_pin() -> None:
    """Its line is gone from the publisher's list, too."""
    wish = Wish(image="ubuntu-24.04.4", wanted_by="x")
    (before,) = fetched(wish)
    lock = AssetsLock.model_validate({"files": {before.name: {"sha256": "a" * 64, "size": 1_368_926_404}}})
    (after,) = downloads(BUNDLED, AssetsPart(), lock, [wish])
    assert after.check == Digest("sha256", "a" * 64)
    assert (after.folder, after.size, after.withdrawn) == ("raspberry-pi/ubuntu-24.04.4", 1_368_926_404, True)


@pytest.mark.parametrize(
    "image", ["ubuntu-24.04", "ubuntu-24.10", "ubuntu-24.04.", "talos", "my-own", "ubuntu-24x04.5"]
)
def test_other_images_are_copied_by_hand(image: str) -> None:
    assert fetched(Wish(image=image, wanted_by="x")) == ()


def test_an_image_of_the_fleets_own_comes_before_one_of_the_catalogue() -> None:
    file = {"name": "mine/{version}", "urls": ["https://d.example/{version}"], "unpack": "pi-image"}
    mine = AssetsPart.model_validate({"entries": {"zz": {"image": "ubuntu-{version}", "files": [file]}}})
    (got,) = downloads(BUNDLED, mine, AssetsLock(), [Wish(image="ubuntu-24.04.5", wanted_by="x")])
    assert got.name == "mine/24.04.5"
