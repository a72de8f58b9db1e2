"""The card that sets a boot order, read back by fdisk, mtools and fsck."""

import json
import subprocess
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from support.eeprom_images import FACTORY, NEW, eeprom_image
from support.pi_images import needs_tools

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.eeprom import Chip, configuration_of
from iluvatar_pxe.layers.ainur.seed_card.recovery_card import bootloader_in, write_recovery_card

pytestmark = needs_tools
NOW = datetime(2026, 11, 2, tzinfo=UTC)
RECOVERY = b"\x7frecovery" * 5000
ORDER = {"BOOT_ORDER": "0xf26", "PCIE_PROBE": "1"}


def output_of(*command: str) -> str:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin"}
    ).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "firmware"
    place.mkdir()
    (place / "recovery.bin").write_bytes(RECOVERY)
    (place / "pieeprom-2026-05-17.bin").write_bytes(eeprom_image(Chip.BCM2712, built=NEW - 86400))
    (place / "pieeprom-2026-09-25.bin").write_bytes(eeprom_image(Chip.BCM2712))
    return place


def test_the_card_is_read_back(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.img"
    text = write_recovery_card(out, bootloader_in(folder, Chip.BCM2712), ORDER, NOW, force=False)
    assert text == FACTORY.replace("BOOT_ORDER=0xf461\n", "") + "BOOT_ORDER=0xf26\nPCIE_PROBE=1\n"

    (partition,) = json.loads(output_of("sfdisk", "--json", str(out)))["partitiontable"]["partitions"]
    assert (partition["start"], partition["size"], partition["type"]) == (2048, 131072, "c")
    assert out.stat().st_size == (2048 + 131072) * 512

    fat = tmp_path / "fat.img"
    fat.write_bytes(out.read_bytes()[2048 * 512 :])
    output_of("fsck.vfat", "-n", str(fat))
    output_of(
        "mcopy", "-n", "-i", str(fat), "::/recovery.bin", "::/pieeprom.bin", "::/pieeprom.sig", str(tmp_path)
    )
    image = (tmp_path / "pieeprom.bin").read_bytes()
    assert (tmp_path / "recovery.bin").read_bytes() == RECOVERY
    assert configuration_of(image) == text
    signature = f"{sha256(image).hexdigest()}\nts: {int(NOW.timestamp())}\n"
    assert (tmp_path / "pieeprom.sig").read_text() == signature


def test_the_newest_bootloader_is_taken_and_one_for_another_chip_refused(folder: Path) -> None:
    assert bootloader_in(folder, Chip.BCM2712).source.name == "pieeprom-2026-09-25.bin"
    with pytest.raises(
        SeedCardError, match=r"pieeprom-2026-09-25.bin: has 2097152 bytes, but .* 2711 has 524288"
    ):
        bootloader_in(folder, Chip.BCM2711)


@pytest.mark.parametrize("name", ["pieeprom", "recovery"])
def test_a_folder_that_lacks_a_file_is_refused(folder: Path, name: str) -> None:
    for path in folder.glob(f"{name}*"):
        path.unlink()
    with pytest.raises(SeedCardError, match=f"has no {name}.bin and no {name}-DATE.bin; take the folder"):
        bootloader_in(folder, Chip.BCM2712)


def test_an_empty_file_is_refused(folder: Path) -> None:
    (folder / "recovery.bin").write_bytes(b"")
    with pytest.raises(SeedCardError, match=r"recovery.bin: is empty"):
        bootloader_in(folder, Chip.BCM2712)
