"""Where a card's image may be written."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.card_file import new_file


def fill(out: Path, text: str, *, force: bool = False) -> None:
    with new_file(out, len(text), force=force) as file:
        file.write_text(text)


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "card.img"
    with new_file(out, 3, force=False) as file:
        assert not out.exists()
        file.write_text("one")
    assert out.read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["card.img"]


def test_another_file_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "card.img"
    fill(out, "one")
    with pytest.raises(SeedCardError, match=r"card.img: exists; .*--force"):
        fill(out, "two")
    assert out.read_text() == "one"
    fill(out, "two", force=True)
    assert out.read_text() == "two"


def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "card.img"
    fill(out, "one")
    with suppress(KeyboardInterrupt), new_file(out, 3, force=True) as file:
        file.write_text("half")
        raise KeyboardInterrupt
    assert out.read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["card.img"]


@pytest.mark.parametrize("force", [False, True])
def test_a_device_is_refused(tmp_path: Path, *, force: bool) -> None:
    with pytest.raises(
        SeedCardError, match=r"/dev/null: is a device; .* Raspberry Pi Imager, .* dd if=FILE of=/dev/null"
    ):
        fill(Path("/dev/null"), "", force=force)
    link = tmp_path / "card"
    link.symlink_to("/dev/null")
    with pytest.raises(SeedCardError, match="card: is a device"):
        fill(link, "", force=force)


def test_folders_pipes_and_places_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SeedCardError, match="is no file"):
        fill(tmp_path, "", force=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SeedCardError, match="is no file"):
        fill(tmp_path / "pipe", "", force=True)
    with pytest.raises(SeedCardError, match="none is no directory; make it first"):
        fill(tmp_path / "none" / "card.img", "")


def test_a_disk_that_is_too_full_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with (
        pytest.raises(SeedCardError, match=r"no space left in .* GB more are needed"),
        new_file(tmp_path / "card.img", 1 << 60, force=False),
    ):
        pytest.fail("begun")
    assert not list(tmp_path.iterdir())
