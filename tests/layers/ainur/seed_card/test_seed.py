"""A seed card of a small image, read back by fdisk, mtools, debugfs and e2fsck."""

import json
import lzma
import os
import subprocess
from pathlib import Path

import pytest
import zstandard
from support.dpkg_status import SEEDABLE
from support.pi_images import (
    BOOT_START,
    RASPBERRY_PI_OS,
    ROOT_SIZE,
    ROOT_START,
    UBUNTU_24_04,
    Layout,
    make_image,
    needs_tools,
)
from support.wheels import make_lock, make_wheel

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.seed import SeedCard, write_seed_card
from iluvatar_pxe.layers.ainur.seed_card.wheels import WheelSource

pytestmark = needs_tools
TOOLS = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, env=TOOLS).stdout


@pytest.fixture
def wheels(tmp_path: Path) -> WheelSource:
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = make_wheel(folder, "Plain_Package", {"plain.py": b"a" * 5000})
    return WheelSource(make_lock(tmp_path / "lock", [wheel]), folder)


def image_of(tmp_path: Path, status: str | None = SEEDABLE, label: str = "system-boot") -> Path:
    place = tmp_path / "image"
    place.mkdir()
    boot = RASPBERRY_PI_OS if label == "bootfs" else UBUNTU_24_04
    return make_image(place, Layout(boot=boot, status=status, label=label))


def made(
    tmp_path: Path, image: Path, wheels: WheelSource, bundle: Path | None = None
) -> tuple[Path, SeedCard]:
    out = tmp_path / "card.img"
    return out, write_seed_card(out, image, wheels, bundle, force=False)


def test_the_card_is_the_image_with_files_beside_its_own(tmp_path: Path, wheels: WheelSource) -> None:
    bundle = tmp_path / "some.bundle"
    bundle.write_bytes(b"a bundle")
    image = image_of(tmp_path)
    out, card = made(tmp_path, image, wheels, bundle)
    assert (card.system.name, card.facts.python, card.facts.has_git, card.wheels) == (
        "Ubuntu Server",
        "3.12",
        True,
        2,
    )

    tables = [json.loads(output_of("sfdisk", "--json", str(one)))["partitiontable"] for one in (image, out)]
    first, second = ({key: value for key, value in one.items() if key != "device"} for one in tables)
    assert [(part["start"], part["size"]) for part in second["partitions"]] == [
        (part["start"], part["size"]) for part in first["partitions"]
    ]
    assert out.stat().st_size == image.stat().st_size
    assert out.read_bytes()[ROOT_START:] == image.read_bytes()[ROOT_START:]
    root = f"{out}?offset={ROOT_START}"
    assert output_of("debugfs", "-R", "cat /etc/hostname", root) == "ubuntu\n"

    place = files_of(out, tmp_path / "fat")
    assert {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()} == {
        *UBUNTU_24_04,
        "vendor-data",
        *(f"iluvatar-pxe/{name}" for name in ("first-start", "show-keys.sh", "fleet.bundle", "SHA256SUMS")),
        *(
            f"iluvatar-pxe/iluvatar-pxe-{name}"
            for name in ("first-start.service", "node.service", "node.path")
        ),
        *(f"iluvatar-pxe/wheels/{name}" for name in ("Plain_Package-1.0-py3-none-any.whl", own_wheel(place))),
    }
    assert all((place / name).read_bytes() == content for name, content in UBUNTU_24_04.items())
    assert (place / "iluvatar-pxe/fleet.bundle").read_bytes() == b"a bundle"
    assert (place / "vendor-data").read_bytes().startswith(b"#!/bin/sh\n")
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=place / "iluvatar-pxe", check=True)
    assert len((place / "iluvatar-pxe/SHA256SUMS").read_text().splitlines()) == 8

    with pytest.raises(SeedCardError, match=f"{out}: is a seed card already; name the publisher's image"):
        write_seed_card(tmp_path / "second.img", out, wheels, None, force=False)


def files_of(card: Path, place: Path) -> Path:
    """Copy the boot partition's files, after a check of it."""
    place.mkdir()
    fat = place.with_suffix(".img")
    fat.write_bytes(card.read_bytes()[BOOT_START:ROOT_START])
    output_of("fsck.vfat", "-n", str(fat))
    output_of("mcopy", "-s", "-i", f"{card}@@{BOOT_START}", "::/*", str(place))
    return place


def own_wheel(place: Path) -> str:
    (path,) = place.glob("iluvatar-pxe/wheels/iluvatar_pxe-*.whl")
    return path.name


def test_a_compressed_image_gives_the_same_system_with_holes(tmp_path: Path, wheels: WheelSource) -> None:
    image = image_of(tmp_path, label="bootfs")
    small = tmp_path / "image.packed"
    small.write_bytes(zstandard.compress(image.read_bytes()))
    out, card = made(tmp_path, small, wheels)
    assert card.system.name == "Raspberry Pi OS"
    assert (
        out.read_bytes()[ROOT_START : ROOT_START + ROOT_SIZE]
        == image.read_bytes()[ROOT_START : ROOT_START + ROOT_SIZE]
    )
    assert out.stat().st_blocks * 512 < out.stat().st_size
    place = files_of(out, tmp_path / "fat")
    assert (place / "cmdline.txt").read_text().split() == [
        *RASPBERRY_PI_OS["cmdline.txt"].decode().split(),
        "cgroup_enable=memory",
    ]


def test_an_image_that_would_not_start_is_refused_and_nothing_is_left(
    tmp_path: Path, wheels: WheelSource
) -> None:
    image = image_of(tmp_path, status=None)
    with pytest.raises(SeedCardError, match=f"{image}: has no system for arm64"):
        made(tmp_path, image, wheels)
    assert not list(tmp_path.glob("*card*"))


def test_what_is_no_image_or_half_of_one_is_refused(tmp_path: Path, wheels: WheelSource) -> None:
    image, text = image_of(tmp_path), tmp_path / "text"
    text.write_text("no image\n" * 9000)
    half = tmp_path / "half.xz"
    half.write_bytes(lzma.compress(image.read_bytes())[:-2000])
    for wrong, told in ((text, "no partition table"), (half, "cannot be decompressed")):
        with pytest.raises(SeedCardError, match=f"{wrong}: .*{told}"):
            made(tmp_path, wrong, wheels)
    assert not list(tmp_path.glob("*card*"))
