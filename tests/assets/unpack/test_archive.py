"""Archives: what is wanted is unpacked, links as copies, and what is hostile or damaged is refused in one line."""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import COMPRESSIONS, file, folder, ipxe_archive, link, special, tar_of

from iluvatar_pxe.assets import space
from iluvatar_pxe.assets.unpack import archive as module
from iluvatar_pxe.assets.unpack import stream
from iluvatar_pxe.assets.unpack.archive import unpack_archive
from iluvatar_pxe.errors import DiskError, UnpackError

WANTED = {
    "ipxeboot/x86_64/undionly.kpxe": "ipxe/undionly.kpxe",
    "ipxeboot/snponly.efi": "ipxe/snponly.efi",
    "ipxeboot/arm64/snponly.efi": "ipxe/ipxe-arm64.efi",
    "ipxeboot/sb/snponly-shim.efi": "ipxe/sb/snponly-shim.efi",
    "ipxeboot/x86_64-sb/ipxe-shim.efi": "ipxe/sb/ipxe-shim.efi",
}
EXPECTED = {
    "ipxe/undionly.kpxe": b"bios" * 1000,
    "ipxe/snponly.efi": b"x86" * 2000,
    "ipxe/ipxe-arm64.efi": b"arm" * 3000,
    "ipxe/sb/snponly-shim.efi": b"shim" * 700,
    "ipxe/sb/ipxe-shim.efi": b"shim" * 700,
}
GOOD = file("good", b"good")


def silent(_done: int, _size: int | None) -> None:
    pass


def unpacked(place: Path) -> dict[str, bytes]:
    assert not any(path.is_symlink() for path in place.rglob("*"))
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def fault_of(tmp_path: Path, content: bytes, wanted: str = "good") -> str:
    archive, place = tmp_path / "a.tar", tmp_path / "place"
    archive.write_bytes(content)
    place.mkdir()
    with pytest.raises(UnpackError) as raised:
        unpack_archive(archive, {wanted: "it"}, place, silent)
    text = str(raised.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_the_wanted_members_are_unpacked_and_links_become_copies(tmp_path: Path, suffix: str) -> None:
    archive, place = tmp_path / f"ipxeboot.{suffix}", tmp_path / "place"
    archive.write_bytes(COMPRESSIONS[suffix](ipxe_archive()))
    place.mkdir()
    reports: list[tuple[int, int | None]] = []
    unpack_archive(archive, WANTED, place, lambda done, size: reports.append((done, size)))
    assert unpacked(place) == EXPECTED
    assert {size for _, size in reports} == {archive.stat().st_size}
    assert 0 < max(done for done, _ in reports) <= archive.stat().st_size


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_each_format_are_read(tmp_path: Path, form: int) -> None:
    name = "/".join(["folder" * 5] * 4) + "/file"
    (tmp_path / "a.tar").write_bytes(tar_of([file(f"./{name}", b"x" * 1025)], form))
    unpack_archive(tmp_path / "a.tar", {name: "it"}, tmp_path, silent)
    assert (tmp_path / "it").read_bytes() == b"x" * 1025


def test_two_streams_of_xz_and_their_padding_are_one_archive(tmp_path: Path) -> None:
    whole = ipxe_archive()
    compress = COMPRESSIONS["tar.xz"]
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "a").write_bytes(compress(whole[:4000]) + bytes(64) + compress(whole[4000:]) + bytes(8))
    unpack_archive(tmp_path / "a", WANTED, place, silent)
    assert unpacked(place) == EXPECTED


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (file("/etc/passwd", b""), "has the absolute name '/etc/passwd'; use another source"),
        (file("a/../../b", b""), "has the name 'a/../../b', which leads out of it; use another source"),
        (link("a", "../b"), "'a' is a link out of it, to '../b'; use another source"),
        (link("a/b", "/etc/passwd"), "'a/b' is a link out of it, to '/etc/passwd'; use another source"),
        (link("a/b", "../c/../../x"), "'a/b' is a link out of it, to '../c/../../x'; use another source"),
        (
            link("a", "../good", tarfile.LNKTYPE),
            "'a' is a link out of it, to '../good'; use another source",
        ),
        (
            special("a", tarfile.CHRTYPE),
            "has 'a', which is a device or of an unknown kind; use another source",
        ),
        (
            special("a", tarfile.FIFOTYPE),
            "has 'a', which is a device or of an unknown kind; use another source",
        ),
        (
            special("a", tarfile.GNUTYPE_SPARSE),
            "has 'a', which is a device or of an unknown kind; use another source",
        ),
        (file("./good", b"other"), "has 'good' twice; use another source"),
        (folder("good"), "has 'good' twice; use another source"),
    ],
)
def test_a_hostile_member_has_the_archive_refused_though_nobody_wants_it(
    tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], fault: str
) -> None:
    assert fault_of(tmp_path, tar_of([GOOD, bad])) == fault
    assert unpacked(tmp_path / "place") == {}


@pytest.mark.parametrize(
    ("parts", "wanted", "fault"),
    [
        ([GOOD], "bad", "has no file 'bad'; correct 'members' in the catalogue, or take another version"),
        (
            [GOOD],
            "good/x",
            "has no file 'good/x'; correct 'members' in the catalogue, or take another version",
        ),
        ([link("a", "b"), link("b", "a")], "a", "'a' is a link that leads to itself; use another source"),
        ([link("a", "a/b")], "a", "'a' is a link that leads to itself; use another source"),
        (
            [link("a", "b")],
            "a",
            "has no file 'a'; correct 'members' in the catalogue, or take another version",
        ),
        (
            [folder("d"), link("a", "d")],
            "a",
            "has no file 'a'; correct 'members' in the catalogue, or take another version",
        ),
        # Each link stays inside by its own text, and both together lead out.
        (
            [link("up/x", "../l/../y"), link("l", "."), GOOD],
            "up/x",
            "'up/x' is a link out of it; use another source",
        ),
    ],
)
def test_a_wanted_member_that_is_no_file_is_told(
    tmp_path: Path, parts: list[tuple[tarfile.TarInfo, bytes]], wanted: str, fault: str
) -> None:
    assert fault_of(tmp_path, tar_of(parts), wanted) == fault


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALWAYS", 1 << 20)
    bomb = COMPRESSIONS["tar.xz"](tar_of([GOOD, file("zeros", bytes(8 << 20))]))
    assert re.fullmatch(
        r"unpacks to more than \d+ bytes or 10000 members; it is not what it claims to be",
        fault_of(tmp_path, bomb),
    )


def test_a_bomb_behind_the_end_of_the_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALWAYS", 1 << 20)
    bomb = COMPRESSIONS["tar.xz"](tar_of([GOOD]) + bytes(64 << 20))
    assert re.fullmatch(
        r"unpacks to more than \d+ bytes; it is not what it claims to be", fault_of(tmp_path, bomb)
    )


@pytest.mark.parametrize("cut", [1, 4, 8, 20])
@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.zst"])
def test_an_archive_whose_last_bytes_are_gone_is_told_though_its_members_are_whole(
    tmp_path: Path, suffix: str, cut: int
) -> None:
    whole = COMPRESSIONS[suffix](tar_of([GOOD]) + os.urandom(40) + bytes(20_000))
    assert re.fullmatch(r"cannot be decompressed: .*; fetch it again", fault_of(tmp_path, whole[:-cut]))


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.zst"])
def test_two_parts_one_after_the_other_are_one_archive(tmp_path: Path, suffix: str) -> None:
    compress, whole = COMPRESSIONS[suffix], ipxe_archive()
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "a").write_bytes(compress(whole[:4000]) + compress(whole[4000:]))
    unpack_archive(tmp_path / "a", WANTED, place, silent)
    assert unpacked(place) == EXPECTED


def test_a_member_that_claims_more_than_there_is_is_told(tmp_path: Path) -> None:
    header, content = file("good", b"x" * 5000)
    assert "damaged" in fault_of(tmp_path, tar_of([(header, content)])[:3000])


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 4 << 20
    assert (
        fault_of(tmp_path, header.tobuf() + bytes(4 << 20))
        == "has a header of more than 1048576 bytes; use another source"
    )


def pax(records: bytes, form: bytes = tarfile.XHDTYPE) -> bytes:
    """Return an extended header, as another format or another hand may have written it."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = form, len(records)
    return header.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % 512)


def said(name: str, value: str) -> bytes:
    """Return a record of an extended header, with its own length before it."""
    rest = f" {name}={value}\n".encode()
    length = len(rest) + len(str(len(rest) + 3))
    return str(length).encode() + rest


DAMAGED = r"is not a tar archive, or is damaged: .{1,200}; fetch it again"
TOO_LONG = r"has a header of more than 1048576 bytes; use another source"
SPARSE = said("GNU.sparse.major", "1") + said("GNU.sparse.minor", "0") + said("GNU.sparse.realsize", "9")


@pytest.mark.parametrize(
    ("before", "content", "fault"),
    [
        (pax(said("GNU.sparse.map", "abc")), b"", DAMAGED),
        (pax(said("GNU.sparse.size", "x")), b"", DAMAGED),
        (pax(SPARSE), b"1\n", DAMAGED),
        (pax(SPARSE), b"9" * 5000, DAMAGED),
        (pax(SPARSE), b"99999999\n" + b"1\n" * (1 << 20), TOO_LONG),
        (pax(b"9" * 5000 + b" path=good\n"), b"", DAMAGED),
        (pax(said("size", "-99999")), b"", "has a member of negative size; fetch it again"),
        (pax(said("hdrcharset", "BINARY") + said("path", "x" * 9)) * 900, b"", DAMAGED),
        (pax(said("path", "x")) * 3000, b"", f"{DAMAGED}|{TOO_LONG}"),
        (pax(said("path", "x"), tarfile.XGLTYPE) * 3000, b"", f"{DAMAGED}|{TOO_LONG}"),
        (pax(b"x" * 100, tarfile.GNUTYPE_LONGNAME) * 3000, b"", f"{DAMAGED}|{TOO_LONG}"),
    ],
)
def test_a_header_that_tarfile_cannot_read_has_the_archive_refused(
    tmp_path: Path, before: bytes, content: bytes, fault: str
) -> None:
    whole = tar_of([GOOD])[:1024] + before + tar_of([file("other", content)])
    assert re.fullmatch(fault, fault_of(tmp_path, whole))


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz", "tar.zst"])
def test_a_truncated_or_altered_file_is_told(tmp_path: Path, suffix: str) -> None:
    whole = COMPRESSIONS[suffix](tar_of([file("good", bytes(range(256)) * 1000)]))
    for number, damaged in enumerate((whole[: len(whole) // 2], whole[:9] + b"\xff" * 40 + whole[49:])):
        (tmp_path / str(number)).mkdir()
        assert "fetch it again" in fault_of(tmp_path / str(number), damaged)


def test_a_decoder_that_needs_too_much_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_MEMORY", 1 << 16)
    assert "cannot be decompressed: Memory usage limit" in fault_of(
        tmp_path, COMPRESSIONS["tar.xz"](tar_of([GOOD]))
    )


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    assert "is not a tar archive" in fault_of(tmp_path, b"<!DOCTYPE html>" * 100)


def test_missing_space_is_told_before_a_byte_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "RESERVE", 1 << 60)
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_of([GOOD]))
    with pytest.raises(
        DiskError, match=r"^cannot be unpacked: no space left in .*: \d+\.\d GB more are needed; .*assets gc$"
    ):
        unpack_archive(archive, {"good": "it"}, tmp_path, silent)
    assert not (tmp_path / "it").exists()


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from iluvatar_pxe.assets.unpack.archive import unpack_archive
from iluvatar_pxe.errors import DiskError

place, archive = map(Path, sys.argv[1:])

def report(done, size):
    if (place / "it").exists() and not (place / "others").exists():
        try:
            (place / "others").write_bytes(bytes(90 << 20))
        except OSError:
            pass

try:
    unpack_archive(archive, {"good": "it"}, place, report)
except DiskError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a small file system")
def test_a_disk_that_fills_in_the_middle_is_told_with_what_is_missing(tmp_path: Path) -> None:
    place, archive = tmp_path / "small", tmp_path / "a.tar"
    place.mkdir()
    archive.write_bytes(tar_of([file("good", os.urandom(12 << 20))]))
    mount = 'mount -t tmpfs -o size=90m none "$3" && exec "$0" "$@"'
    python = (sys.executable, "-c", ON_A_SMALL_DISK, str(place), str(archive))
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, *python], capture_output=True, text=True, check=True
    )
    told = r"cannot be unpacked: no space left in \S+/small: (\d+\.\d) MB more are needed; make room, .*\n"
    found = re.fullmatch(told, ended.stdout)
    assert found, ended
    assert 67 < float(found[1]) < 80, "what was written is not needed again, and 64 MiB stay free"


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz"])
def test_work_that_gives_nothing_can_be_ended(tmp_path: Path, suffix: str) -> None:
    """It is told how far it is, though all that is read is empty."""
    empty = COMPRESSIONS[suffix](b"")
    path, reports = tmp_path / "a", list[int]()
    path.write_bytes(empty * ((3 << 20) // len(empty)))
    with stream.opened(path, 1, lambda done, _: reports.append(done)) as opened:
        assert opened.read(1) == b""
    assert len(reports) >= 2


def test_what_the_report_raises_ends_the_work(tmp_path: Path) -> None:
    def stop(_done: int, _size: int | None) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.tar").write_bytes(tar_of([GOOD]))
    with pytest.raises(KeyboardInterrupt):
        unpack_archive(tmp_path / "a.tar", {"good": "it"}, tmp_path, stop)


def _flip(whole: bytes, places: list[tuple[int, int]]) -> bytes:
    damaged = bytearray(whole)
    for place, value in places:
        damaged[place % len(damaged)] = value
    return bytes(damaged)


KEYS = ("path", "linkpath", "size", "mtime", "uid", "hdrcharset", "GNU.sparse.map", "GNU.sparse.size")
NUMBERED = ("GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.numblocks", "GNU.sparse.realsize")
VALUES = st.sampled_from(
    ["", "0", "1", "-1", "x", "1,2", "9" * 30, "9" * 5000, "nan", "BINARY", "../x", "\0"]
)
RECORDS = st.lists(
    st.builds(said, st.sampled_from((*KEYS, *NUMBERED, "GNU.sparse.offset")), VALUES | st.text(max_size=9))
    | st.binary(max_size=40),
    max_size=6,
).map(b"".join)
HEADERS = st.builds(
    pax,
    RECORDS,
    st.sampled_from(
        [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, b"L", b"K", b"S", b"5", b"V"]
    ),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(HEADERS, min_size=1, max_size=4).map(b"".join),
    st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 255)), max_size=4),
    st.binary(max_size=600),
)
def test_whatever_headers_there_are_the_file_or_one_error_comes_of_it(
    headers: bytes, places: list[tuple[int, int]], content: bytes
) -> None:
    with TemporaryDirectory() as name, suppress(UnpackError):
        archive, place = Path(name, "a"), Path(name, "place")
        place.mkdir()
        archive.write_bytes(_flip(headers, places) + tar_of([file("other", content), GOOD]))
        unpack_archive(archive, {"good": "it"}, place, silent)
        assert set(unpacked(place)) == {"it"}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 255)), max_size=6),
    st.sampled_from([COMPRESSIONS["tar"], COMPRESSIONS["tar.gz"], COMPRESSIONS["tar.zst"]]),
)
def test_whatever_is_altered_the_files_or_one_error_come_of_it(
    places: list[tuple[int, int]], compress: Callable[[bytes], bytes]
) -> None:
    with TemporaryDirectory() as name, suppress(UnpackError):
        archive, place = Path(name, "a"), Path(name, "place")
        place.mkdir()
        archive.write_bytes(_flip(compress(ipxe_archive()), places))
        unpack_archive(archive, WANTED, place, silent)
        assert set(unpacked(place)) == set(EXPECTED)
