"""Images that are kept as they were downloaded, by the index of the assets directory."""

from datetime import UTC, datetime
from pathlib import Path

from iluvatar_pxe.assets.index import ORIGINALS, Given, Index, Record
from iluvatar_pxe.assets.kept_images import kept_images

ONE, TWO = "a" * 64, "b" * 64


def record(sha256: str, *, is_unpacked: bool) -> Record:
    original = Given(size=5, modified=1, sha256=sha256) if is_unpacked else None
    now = datetime(2026, 11, 2, tzinfo=UTC)
    return Record(version="1", sha256=sha256, size=5, source="test", checked_at=now, original=original)


async def test_the_originals_of_unpacked_images_are_found_and_what_is_gone_or_no_image_is_not(
    tmp_path: Path,
) -> None:
    (tmp_path / ORIGINALS).mkdir()
    (tmp_path / ORIGINALS / ONE).write_text("image")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/own.img").write_text("image")
    (tmp_path / "images/notes.txt").write_text("notes")
    index = Index(tmp_path)
    await index.put("images/ubuntu.img.xz", record(ONE, is_unpacked=True))
    await index.put("images/gone.img.xz", record(TWO, is_unpacked=True))
    await index.put("images/own.img", record(TWO, is_unpacked=False))
    await index.put("images/notes.txt", record(TWO, is_unpacked=False))
    assert await kept_images(tmp_path) == {
        "images/ubuntu.img.xz": tmp_path / ORIGINALS / ONE,
        "images/own.img": tmp_path / "images/own.img",
    }


async def test_a_directory_without_an_index_keeps_none(tmp_path: Path) -> None:
    assert await kept_images(tmp_path) == {}
