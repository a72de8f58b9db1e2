"""Debian's own boot partition of a Raspberry Pi: the real firmware of its package, put together as its hook does it."""

import json
import struct
from pathlib import Path

import pytest
from support.pi_images import RASPBERRY_PI_OS, Layout, make_image, needs_tools

from iluvatar_pxe.assets.unpack.unpack import unpack
from iluvatar_pxe.catalogue.download import Download, FirstUse, Unpack
from iluvatar_pxe.errors import LabError
from iluvatar_pxe.lab.system.cache import default_cache
from iluvatar_pxe.lab.system.packages import unpack_package

pytestmark = [pytest.mark.interop, needs_tools]

IMAGE = Download(
    name="raspberry-pi/debian.img",
    version="13",
    urls=(),
    check=FirstUse(),
    unpack=Unpack.PI_IMAGE,
    folder="raspberry-pi/debian",
)


@pytest.fixture(scope="module")
def firmware() -> dict[str, bytes]:
    try:
        files = unpack_package(default_cache(), "raspi-firmware", "trixie", "amd64", "non-free-firmware")
    except LabError as error:
        pytest.skip(f"Debian's package raspi-firmware cannot be fetched: {error}")
    directory = files / "usr/lib/raspi-firmware"
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_the_real_firmware_of_debian_is_unpacked_byte_by_byte(
    tmp_path: Path, firmware: dict[str, bytes]
) -> None:
    assert {"bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"} <= firmware.keys()
    assert struct.unpack_from("<4sB", firmware["start4.elf"]) == (b"\x7fELF", 1)
    rest = {name: content for name, content in RASPBERRY_PI_OS.items() if name not in firmware}
    boot = {**rest, **firmware}
    image = make_image(tmp_path, Layout(boot=boot))
    assets = tmp_path / "assets"
    assets.mkdir()
    unpack(IMAGE, image, assets, lambda _done, _size: None)
    found = {
        path.relative_to(assets / IMAGE.folder).as_posix(): path.read_bytes()
        for path in (assets / IMAGE.folder).rglob("*")
        if path.is_file() and path.name not in {"facts.json", "boot.img.zst", "root.img.zst"}
    }
    assert found == boot
    assert json.loads((assets / IMAGE.folder / "facts.json").read_text())["too_large"] == []
