import gzip
import subprocess
from pathlib import Path

from iluvatar_pxe.layers.ainur.installer import initramfs

ENTRIES = [
    initramfs.directory("bin"),
    initramfs.directory("dev"),
    initramfs.console(),
    initramfs.file("bin/tool", b"#!/bin/sh\n", executable=True),
    initramfs.file("bin/odd", b"12345"),
    initramfs.link("bin/sh", "tool"),
]


def test_cpio_lists_what_was_packed() -> None:
    listing = subprocess.run(
        ["cpio", "--list", "--verbose", "--numeric-uid-gid"],
        input=gzip.decompress(initramfs.pack(ENTRIES)),
        capture_output=True,
        check=True,
    ).stdout.decode()
    lines = [line.split() for line in listing.splitlines()]
    assert [(line[0], line[-1]) for line in lines] == [
        ("drwxr-xr-x", "bin"),
        ("drwxr-xr-x", "dev"),
        ("crw-------", "dev/console"),
        ("-rwxr-xr-x", "bin/tool"),
        ("-rw-r--r--", "bin/odd"),
        ("lrwxrwxrwx", "tool"),
    ]
    assert lines[2][4:6] == ["5,", "1"]


def test_cpio_unpacks_the_contents(tmp_path: Path) -> None:
    archive = gzip.decompress(initramfs.pack([entry for entry in ENTRIES if entry.device == (0, 0)]))
    subprocess.run(["cpio", "--extract", "--quiet"], input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "bin/odd").read_bytes() == b"12345"
    assert (tmp_path / "bin/sh").read_bytes() == b"#!/bin/sh\n"


def test_the_same_files_give_the_same_bytes() -> None:
    assert initramfs.pack(ENTRIES) == initramfs.pack(list(ENTRIES))
