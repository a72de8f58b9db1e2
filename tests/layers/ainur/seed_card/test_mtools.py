"""What mtools cannot do is told in one line."""

import os
from pathlib import Path

import pytest
from support.pi_images import needs_tools

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.mtools import copy_in, has, make_fat32

OFFSET, SECTORS = 1 << 20, 80_000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.img"
    path.touch()
    os.truncate(path, OFFSET + SECTORS * 512)
    return path


@needs_tools
def test_a_file_is_there_when_it_was_copied_and_replaces_another(image: Path, tmp_path: Path) -> None:
    make_fat32(image, OFFSET, SECTORS, "LABEL")
    file = tmp_path / "Some-Long.Name"
    for text in ("one", "two"):
        file.write_text(text)
        copy_in(image, OFFSET, [file])
    assert has(image, OFFSET, file.name)
    assert not has(image, OFFSET, "another")


@needs_tools
def test_a_partition_without_room_or_file_system_is_told(image: Path, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(bytes(SECTORS * 512))
    with pytest.raises(SeedCardError, match=r"boot partition cannot be written: mcopy: .*"):
        copy_in(image, OFFSET, [file])
    make_fat32(image, OFFSET, SECTORS, "LABEL")
    with pytest.raises(SeedCardError, match=r"boot partition cannot be written: mcopy: .*[Ff]ull"):
        copy_in(image, OFFSET, [file])


def test_a_host_without_mtools_is_told_what_to_install(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SeedCardError, match="mcopy: not installed; sudo apt-get install mtools"):
        copy_in(image, OFFSET, [image])
