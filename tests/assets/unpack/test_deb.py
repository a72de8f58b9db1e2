import subprocess
from pathlib import Path

import pytest

from iluvatar_pxe.assets.unpack.deb import read_deb
from iluvatar_pxe.errors import UnpackError

CONTROL = (
    "Package: tool\nVersion: 1\nArchitecture: arm64\nMaintainer: nobody <n@example.org>\nDescription: x\n"
)


def package(folder: Path, compression: str) -> bytes:
    """Return one that dpkg-deb makes."""
    (folder / "files" / "DEBIAN").mkdir(parents=True)
    (folder / "files" / "DEBIAN" / "control").write_text(CONTROL)
    (folder / "files" / "usr" / "lib").mkdir(parents=True)
    (folder / "files" / "usr" / "lib" / "libx.so.1.2").write_bytes(b"library")
    (folder / "files" / "usr" / "lib" / "libx.so.1").symlink_to("libx.so.1.2")
    build = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", "files", "x.deb"]
    subprocess.run(build, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (folder / "x.deb").read_bytes()


@pytest.mark.parametrize("compression", ["xz", "gzip", "none"])
def test_files_of_what_dpkg_makes_are_read_through_links(tmp_path: Path, compression: str) -> None:
    deb = package(tmp_path, compression)
    assert read_deb(deb, ["usr/lib/libx.so.1", "usr/lib/libx.so.1.2"]) == {
        "usr/lib/libx.so.1": b"library",
        "usr/lib/libx.so.1.2": b"library",
    }
    with pytest.raises(UnpackError, match="has no file usr/bin/tool"):
        read_deb(deb, ["usr/bin/tool"])
    with pytest.raises(UnpackError, match="not as a file"):
        read_deb(deb, ["usr/lib"])


def test_what_is_no_package_or_damaged_is_refused(tmp_path: Path) -> None:
    deb = package(tmp_path, "xz")
    for bad in (
        b"",
        b"PK\3\4",
        b"!<arch>\n",
        deb[: len(deb) // 2],
        deb[:-40],
        deb.replace(b"\xfd7zXZ", b"\xfd7zXY"),
    ):
        with pytest.raises(UnpackError):
            read_deb(bad, ["usr/lib/libx.so.1"])
