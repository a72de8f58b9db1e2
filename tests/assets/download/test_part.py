"""What is kept of a file is trusted only as far as it is certainly on the disk, and only for the same address."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.assets.download.part import Part, part_of
from iluvatar_pxe.assets.download.ranges import Kept

URL = "http://user:hidden@publisher.example/kernel?token=hidden"
MIB = 1 << 20
CONTENT = os.urandom(20 * MIB)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return part_of(tmp_path / "kernel")


def begun(path: Path, content: bytes = CONTENT, validator: str = '"a"') -> Part:
    """Return a part that has come so far."""
    part = Part(path, ())
    part.begin(URL, validator, len(CONTENT))
    part.append(content)
    return part


def resumed(path: Path, url: str = URL) -> Kept | None:
    """Return what another process goes on with."""
    part = Part(path, ())
    kept = part.resume(url)
    part.rest()
    return kept


def test_what_was_let_go_of_is_gone_on_with(path: Path) -> None:
    begun(path, CONTENT[:1000]).rest()
    part = Part(path, {"sha512"})
    assert part.resume(URL) == Kept(1000, '"a"', len(CONTENT))
    part.append(CONTENT[1000:])
    assert part.checksum("sha256") == hashlib.sha256(CONTENT).hexdigest()
    assert part.checksum("sha512") == hashlib.sha512(CONTENT).hexdigest()
    part.finish(path.with_name("kernel"))
    assert path.with_name("kernel").read_bytes() == CONTENT
    assert [one.name for one in path.parent.iterdir()] == ["kernel"]


def test_what_came_after_the_last_note_is_dropped(path: Path) -> None:
    part = begun(path, CONTENT[: 16 * MIB])
    part.append(CONTENT[16 * MIB : 18 * MIB])  # and now the power fails
    assert path.stat().st_size == 18 * MIB
    assert resumed(path) == Kept(16 * MIB, '"a"', len(CONTENT))
    assert path.stat().st_size == 16 * MIB
    part.discard()


def test_without_a_validator_nothing_is_gone_on_with(path: Path) -> None:
    begun(path, validator="").rest()
    assert resumed(path) is None


def test_another_address_is_not_gone_on_with_and_does_not_harm(path: Path) -> None:
    begun(path, CONTENT[:1000]).rest()
    assert resumed(path, "http://mirror.example/kernel") is None
    assert resumed(path) == Kept(1000, '"a"', len(CONTENT))


def test_the_note_shows_no_credentials(path: Path) -> None:
    begun(path).rest()
    assert "hidden" not in path.with_name("kernel.part.json").read_text()


def test_damaged_bytes_are_not_gone_on_with(path: Path) -> None:
    begun(path, CONTENT[:1000]).rest()
    path.write_bytes(bytes(1000))
    assert resumed(path) is None
    path.write_bytes(CONTENT[:500])
    assert resumed(path) is None
    path.unlink()
    assert resumed(path) is None


def test_a_link_in_its_place_is_not_followed(path: Path) -> None:
    begun(path, CONTENT[:1000]).rest()
    other = path.rename(path.with_name("other"))
    path.symlink_to(other)
    assert resumed(path) is None
    begun(path, b"new").rest()
    assert other.read_bytes() == CONTENT[:1000]


@given(note=st.text() | st.dictionaries(st.text(), st.integers()).map(json.dumps))
def test_a_damaged_note_is_no_note(tmp_path_factory: pytest.TempPathFactory, note: str) -> None:
    path = part_of(tmp_path_factory.mktemp("part") / "kernel")
    begun(path, CONTENT[:10]).rest()
    path.with_name("kernel.part.json").write_text(note)
    assert resumed(path) is None


@pytest.mark.parametrize(
    ("key", "value"), [("size", -1), ("size", 0), ("size", "9"), ("total", "9"), ("source", 1)]
)
def test_an_impossible_note_is_no_note(path: Path, key: str, value: object) -> None:
    begun(path, CONTENT[:10]).rest()
    note = path.with_name("kernel.part.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {key: value}))
    assert resumed(path) is None


def test_who_still_reads_an_older_beginning_sees_no_other_file(path: Path) -> None:
    part = begun(path, b"old")
    with path.open("rb") as reader:
        part.begin(URL, '"b"', None)
        part.append(b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"
    part.discard()
    assert not list(path.parent.iterdir())
