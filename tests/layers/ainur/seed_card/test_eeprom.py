import shutil
import struct
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.eeprom_images import CODE, FACTORY, FILE, NEW, eeprom_image, section

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.eeprom import (
    LARGEST_CONFIGURATION,
    Chip,
    built_at,
    check_image,
    configuration_of,
    signature_of,
    with_configuration,
)

ORDER = "[all]\nBOOT_UART=1\nBOOT_ORDER=0xf21\n"
BOTH = pytest.mark.parametrize("behind", [True, False])


def pieces(image: bytes) -> list[tuple[int, bytes]]:
    """Read an image from its beginning to its end, as the bootloader does."""
    found, at = [], 0
    while at < len(image) and image[at : at + 4] != b"\xff\xff\xff\xff":
        magic, length = struct.unpack_from(">II", image, at)
        assert magic & 0xFFFFF00F == 0x55AAF00F
        found.append((magic, image[at + 8 : at + 8 + length]))
        at += (8 + length + 7) // 8 * 8
    assert set(image[at:]) == {0xFF}
    return found


@BOTH
@pytest.mark.parametrize("text", [ORDER, FACTORY, "", "A=1\n" * (LARGEST_CONFIGURATION // 8)])
def test_another_configuration_is_read_back_and_nothing_else_has_changed(text: str, *, behind: bool) -> None:
    before = eeprom_image(Chip.BCM2712, behind=behind)
    after = with_configuration(before, text)
    assert configuration_of(after) == text
    assert len(after) == len(before)
    files = [body for magic, body in pieces(after) if magic == FILE]
    assert files[0] == b"bootconf.txt" + bytes(4) + text.encode()
    assert [one for one in pieces(after) if one[0] == CODE] == [
        one for one in pieces(before) if one[0] == CODE
    ]
    assert files[1:] == [body for magic, body in pieces(before) if magic == FILE][1:]


@BOTH
def test_the_way_back_gives_the_same_image(*, behind: bool) -> None:
    image = eeprom_image(Chip.BCM2711, behind=behind)
    assert with_configuration(with_configuration(image, ORDER * 9), FACTORY) == image


def test_a_configuration_that_is_too_long_is_refused() -> None:
    with pytest.raises(SeedCardError, match="no room for a configuration of 4077 bytes"):
        with_configuration(eeprom_image(Chip.BCM2711), "x" * 4077)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (bytes(Chip.BCM2711.size), "has no configuration"),
        (b"\x7fELF" * (Chip.BCM2711.size // 4), "is no EEPROM image"),
        (section(CODE, bytes(80))[:60].ljust(64, b"\xff"), "is no EEPROM image"),
        (section(FILE, b"", "pubkey.bin").ljust(Chip.BCM2711.size, b"\xff"), "has no configuration"),
        (b"", "has no configuration"),
    ],
)
def test_what_is_no_image_is_refused(image: bytes, reason: str) -> None:
    with pytest.raises(SeedCardError, match=reason):
        configuration_of(image)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_image_or_refused(image: bytes) -> None:
    with suppress(SeedCardError):
        configuration_of(image)


def test_an_image_is_for_one_family_and_not_older_than_its_boards() -> None:
    check_image(eeprom_image(Chip.BCM2711), Chip.BCM2711)
    check_image(eeprom_image(Chip.BCM2712), Chip.BCM2712)
    with pytest.raises(SeedCardError, match=r"524288 bytes, but the EEPROM of a 2712 has 2097152; .*-2712"):
        check_image(eeprom_image(Chip.BCM2711), Chip.BCM2712)
    day = int(Chip.BCM2712.oldest.timestamp())
    check_image(eeprom_image(Chip.BCM2712, built=day), Chip.BCM2712)
    with pytest.raises(SeedCardError, match="was built on 2025-02-10, before 2025-02-11"):
        check_image(eeprom_image(Chip.BCM2712, built=day - 1), Chip.BCM2712)
    with pytest.raises(SeedCardError, match="does not say when"):
        check_image(b"\xff" * Chip.BCM2711.size, Chip.BCM2711)


def test_a_signature_is_the_checksum_and_the_time() -> None:
    image = eeprom_image(Chip.BCM2711)
    assert built_at(image) == datetime.fromtimestamp(NEW, UTC)
    assert (
        signature_of(image, datetime.fromtimestamp(NEW, UTC)) == f"{sha256(image).hexdigest()}\nts: {NEW}\n"
    )


@pytest.mark.interop
@pytest.mark.skipif(
    not shutil.which("rpi-eeprom-config"), reason="needs rpi-eeprom-config, which Raspberry Pi OS has"
)
@BOTH
def test_the_tool_of_raspberry_pi_writes_the_same(tmp_path: Path, *, behind: bool) -> None:
    image = eeprom_image(Chip.BCM2712, behind=behind)
    (tmp_path / "pieeprom.bin").write_bytes(image)
    (tmp_path / "boot.conf").write_text(ORDER)
    command = ("rpi-eeprom-config", "--config", "boot.conf", "--out", "new.bin", "pieeprom.bin")
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / "new.bin").read_bytes() == with_configuration(image, ORDER)
