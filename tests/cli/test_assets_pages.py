"""What ``assets`` prints of rows: nothing wider than the terminal, what is missing and how to bring it."""

from datetime import timedelta
from typing import Any

import pytest
from support.wanted import CHECKED, wanted

from iluvatar_pxe.admin.asset_words import bar_words, change_words, check_words, ending, state_words
from iluvatar_pxe.admin.assets import asset_data
from iluvatar_pxe.assets.status import AssetStatus
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.catalogue.download import Digest, SumsFile
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.cli.assets.page import leftover_lines, status_lines, verified_lines
from iluvatar_pxe.values import replace

ID = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
KERNEL, PI = f"talos/{ID}/v1.13.9/kernel-amd64", "raspberry-pi/ubuntu-26.04.img.xz"
NOW = CHECKED + timedelta(minutes=3)
PINNED = Digest("sha256", "0" * 64, first_use=True)
SIGNED = SumsFile(
    ("https://ubuntu.example/SHA256SUMS",), "sha256", "n", ("https://ubuntu.example/SHA256SUMS.gpg",), "k"
)


def ready(name: str) -> AssetStatus:
    status = wanted(name, PINNED, state=State.READY, done=14_100_000, size=14_100_000)
    return replace(status, source="https://factory.example", checked_at=CHECKED)


def row(status: AssetStatus) -> dict[str, Any]:
    return asset_data(status)


def test_all_is_there() -> None:
    assert list(status_lines([row(ready(KERNEL))], NOW, 80)) == [
        "file                       version  state              check",
        "wanted by                  size     checked            source",
        "talos/3765...b4ba/v1.13.9  v1       ready              sha256 pinned on first",
        "/kernel-amd64              14.1 MB  checked 3 min ago  use",
        "layers/arda.yaml                                       factory.example",
    ]


def test_what_is_missing_and_how_to_bring_it() -> None:
    lacking = wanted(PI, SIGNED, state=State.WAITING, trouble="ubuntu.example: no route to host")
    coming = wanted("k3s", state=State.LOADING, done=5, size=10)
    lines = list(status_lines([row(lacking), row(coming), row(ready(KERNEL))], NOW, 80))
    assert lines[lines.index("2 of 3 files are missing; machines that need them wait.") :] == [
        "2 of 3 files are missing; machines that need them wait.",
        "",
        "raspberry-pi/ubuntu-26.04.img.xz: waiting to try again: ubuntu.example: no route",
        "to host",
        "  https://factory.example/raspberry-pi/ubuntu-26.04.img.xz",
        "  https://ubuntu.example/SHA256SUMS",
        "  https://ubuntu.example/SHA256SUMS.gpg",
        "",
        "k3s: loading, 50% of 10 B",
        "  https://factory.example/k3s",
        "",
        "To fetch them now: iluvatar-pxe assets fetch. Without internet: download these",
        "addresses on another host, and bring the files: iluvatar-pxe assets import PATH",
    ]


def test_nothing_is_wanted() -> None:
    assert list(status_lines([], NOW, 80)) == ["The fleet wants no boot files."]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_but_an_address(width: int) -> None:
    rows = [
        row(wanted(KERNEL, SIGNED, state=state, done=10**9, size=3 * 10**9, rate=1e6, trouble="x " * 60))
        for state in State
    ]
    lines = list(status_lines(rows, NOW, width))
    assert all(len(line) <= width for line in lines if "https://" not in line)


@pytest.mark.parametrize(
    ("progress", "words", "beside"),
    [
        ({"state": State.QUEUED, "size": 10}, "queued", "queued"),
        ({"state": State.BUILDING}, "the factory is building it", "the factory is building it"),
        ({"state": State.LOADING}, "loading", ""),
        ({"state": State.LOADING, "done": 1500}, "loading, 1.5 kB", "1.5 kB"),
        (
            {"state": State.LOADING, "done": 750_000_000, "size": 1_500_000_000, "rate": 12_300_000},
            "loading, 50% of 1.5 GB, 12.3 MB/s, 1 min 1 s left",
            "50% of 1.5 GB, 12.3 MB/s, 1 min 1 s left",
        ),
        (
            {"state": State.UNPACKING, "done": 5, "size": 10, "rate": 1},
            "unpacking, 50% of 10 B, 1 B/s, 5 s left",
            "unpacking, 50%, 1 B/s, 5 s left",
        ),
        ({"state": State.READY, "done": 10, "size": 10}, "ready", "ready"),
    ],
)
def test_how_far_a_file_is(progress: dict[str, Any], words: str, beside: str) -> None:
    data = row(wanted(PI, **progress))
    assert (state_words(data), bar_words(data)) == (words, beside)


def test_a_change_names_the_fault() -> None:
    status = wanted(KERNEL, state=State.WAITING, trouble="factory.example: the certificate has expired")
    assert change_words(row(status)) == (
        "talos/3765...b4ba/v1.13.9/kernel-amd64: waiting to try again: factory.example: the certificate has expired"
    )


def test_a_file_that_is_ready_again_is_not_told_to_be_ready_before_its_fault() -> None:
    """A small file may have been fetched again before anybody looks."""
    found = row(replace(ready(KERNEL), fault=f"{KERNEL}: its sha256 is another one"))
    assert check_words(found) == "talos/3765...b4ba/v1.13.9/kernel-amd64: a fault was found; now ready"
    assert check_words(row(ready(KERNEL))) == "talos/3765...b4ba/v1.13.9/kernel-amd64: ready"


def test_a_name_is_shortened_where_it_says_least() -> None:
    assert shortened(KERNEL) == "talos/3765...b4ba/v1.13.9/kernel-amd64"
    assert shortened(f"x{ID}0/{ID[1:]}") == f"x{ID}0/{ID[1:]}"
    assert ending(KERNEL, 24) == ".../v1.13.9/kernel-amd64"
    assert len(ending(KERNEL, 24)) == 24
    assert ending("short", 24) == "short"


def test_damaged_files_are_named() -> None:
    damaged = row(replace(wanted(KERNEL, state=State.QUEUED), fault=f"{KERNEL}: its sha256 is another one"))
    assert list(verified_lines([row(ready(PI)), damaged])) == [
        f"{KERNEL}: its sha256 is another one; it is fetched again",
        "verified: 1 of 2 files.",
    ]
    assert list(verified_lines([row(ready(PI))])) == ["verified: 1 of 1 file."]


def test_leftovers() -> None:
    def leftover(name: str, why: str | None, part: str | None = None) -> dict[str, Any]:
        told = {"name": name, "version": "v1", "part": part, "size": 14_100_000}
        return told | {"goes": not why, "kept_for": why}

    why = "its publisher may not offer it any more; it is removed if you name it"
    rows = [leftover(KERNEL, None), leftover(PI, why), leftover("ipxe/a", None, "set aside")]
    listed = [
        "file                                size     state",
        "talos/3765...b4ba/v1.13.9/kernel-   14.1 MB  not wanted",
        "amd64",
        "raspberry-pi/ubuntu-26.04.img.xz    14.1 MB  kept: its publisher may not offer",
        "                                             it any more; it is removed if you",
        "                                             name it",
        "ipxe/a, set aside                   14.1 MB  not wanted",
    ]
    assert list(leftover_lines(rows, ("talos",), 80, removed=False)) == [
        *listed,
        "",
        "To remove 2 files, 28.2 MB: iluvatar-pxe assets gc talos --yes",
    ]
    gone = list(leftover_lines(rows, (), 80, removed=True))
    assert gone == [line.replace("not wanted", "removed") for line in listed]
    assert list(leftover_lines([], (), 80, removed=False)) == [
        "There are no files that the fleet does not want."
    ]
