"""Commands on boot files: which files names mean, what is asked of the fetcher, and what is told."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from admin.samples import Counter
from support.wanted import CHECKED, SmallDesk, pinned, wanted

from iluvatar_pxe.admin.assets import (
    AssetsFetch,
    AssetsGc,
    AssetsImport,
    AssetsLeftovers,
    AssetsStatus,
    AssetsVerify,
    chosen,
    is_there,
)
from iluvatar_pxe.admin.command import Command, CommandResult
from iluvatar_pxe.assets.status import Leftover
from iluvatar_pxe.catalogue.download import Check, Digest, FirstUse, SumsFile, checked_by
from iluvatar_pxe.catalogue.progress import State
from iluvatar_pxe.errors import OperationError

KERNEL, INITRD, PI = "talos/3765/v1.13.9/kernel-amd64", "talos/3765/v1.13.9/initramfs-amd64.xz", "raspi/a.img"
NAMES = (PI, INITRD, KERNEL)


@pytest.fixture
def desk(tmp_path: Path) -> SmallDesk:
    """A publisher that has two of three files."""
    offered = {KERNEL: b"kernel", INITRD: b"initrd"}
    checks: dict[str, Check] = {KERNEL: pinned(b"kernel"), INITRD: pinned(b"initrd"), PI: FirstUse()}
    return SmallDesk(tmp_path, offered, {name: wanted(name, check) for name, check in checks.items()})


async def asked(counter: Counter, desk: SmallDesk, command: Command) -> CommandResult:
    return await command.carry_out(replace(counter.context, assets=desk), "root")


async def states(counter: Counter, desk: SmallDesk) -> Mapping[str, str]:
    answer = await asked(counter, desk, AssetsStatus())
    return {one["name"]: one["state"] for one in answer["files"]}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), NAMES),
        ((KERNEL,), (KERNEL,)),
        (("talos",), (INITRD, KERNEL)),
        (("talos/",), (INITRD, KERNEL)),
        (("kernel-amd64", "raspi"), (KERNEL, PI)),
        (("v1.13.9/kernel-amd64",), (KERNEL,)),
    ],
)
def test_a_file_is_named_by_its_parts(words: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert chosen(words, NAMES) == frozenset(names)


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("kernel-amd46", "did you mean kernel-amd64?"),
        ("tal", "did you mean talos?"),
        ("1.13.9/kernel-amd64", "did you mean kernel-amd64?"),
        ("%", "to see all: iluvatar-pxe assets status"),
        ("", "to see all: iluvatar-pxe assets status"),
    ],
)
def test_a_name_that_fits_none_is_refused(word: str, advice: str) -> None:
    with pytest.raises(OperationError) as caught:
        chosen(("talos", word), NAMES)
    assert str(caught.value) == f"{word}: there is no such file; {advice}"


async def test_what_is_missing_is_fetched(counter: Counter, desk: SmallDesk) -> None:
    answer = await asked(counter, desk, AssetsFetch(names=("talos",)))
    assert answer == {"message": "2 files to fetch", "names": [INITRD, KERNEL]}
    assert await states(counter, desk) == {INITRD: "ready", KERNEL: "ready", PI: "missing"}
    answer = await asked(counter, desk, AssetsFetch())
    assert answer == {"message": "1 file to fetch", "names": [PI]}
    assert (await states(counter, desk))[PI] == "waiting"


async def test_only_what_is_there_is_verified(counter: Counter, desk: SmallDesk, tmp_path: Path) -> None:
    await asked(counter, desk, AssetsFetch(names=("talos",)))
    (tmp_path / KERNEL).write_bytes(b"rotten")
    answer = await asked(counter, desk, AssetsVerify())
    assert answer == {"message": "2 files to verify", "names": [INITRD, KERNEL]}
    assert desk.wants[KERNEL].fault == f"{KERNEL}: its sha256 is not the pinned one"
    assert (tmp_path / KERNEL).read_bytes() == b"kernel", "it was fetched again"


async def test_an_imported_file_is_verified(counter: Counter, desk: SmallDesk, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"kernel")
    await asked(counter, desk, AssetsImport(name=KERNEL, file=copy))
    assert (await states(counter, desk))[KERNEL] == "ready"
    with pytest.raises(OperationError, match=r"^other: there is no such file"):
        await asked(counter, desk, AssetsImport(name="other", file=copy))


async def test_what_nobody_wants_is_removed(counter: Counter, desk: SmallDesk) -> None:
    old = Leftover(name="talos/1/v1.12.0/kernel-amd64", version="v1.12.0", size=7)
    before = replace(old, name="talos/2/v1.13.8/kernel-amd64", kept_for="the commit before wants it")
    withdrawn = replace(old, name="ubuntu/24.04.2.img", only_named=True)
    desk.unwanted = [old, before, withdrawn]
    unnamed = "its publisher may not offer it any more; it is removed if you name it"
    shown = (await asked(counter, desk, AssetsLeftovers()))["files"]
    assert [(one["name"], one["goes"], one["kept_for"]) for one in shown] == [
        (old.name, True, None),
        (before.name, False, "the commit before wants it"),
        (withdrawn.name, False, unnamed),
    ]
    assert await asked(counter, desk, AssetsGc()) == {"message": "1 file removed", "files": shown}
    assert desk.unwanted == [before, withdrawn]
    named = (withdrawn.name, before.name)
    shown = (await asked(counter, desk, AssetsLeftovers(names=named)))["files"]
    assert [(one["name"], one["goes"]) for one in shown] == [(before.name, False), (withdrawn.name, True)]
    assert (await asked(counter, desk, AssetsGc(names=named)))["files"] == shown
    assert desk.unwanted == [before]


async def test_everything_is_told_of_a_file(counter: Counter, tmp_path: Path) -> None:
    status = wanted(
        KERNEL, state=State.LOADING, done=1 << 20, size=3 << 20, rate=1e6, trouble="the connection broke"
    )
    desk = SmallDesk(tmp_path, {}, {KERNEL: replace(status, source="https://mirror.example")})
    assert (await asked(counter, desk, AssetsStatus()))["files"] == [
        {
            "name": KERNEL,
            "version": "v1",
            "wanted_by": ["layers/arda.yaml"],
            "ready": False,
            "state": "loading",
            "bytes": 1 << 20,
            "size": 3 << 20,
            "percent": 33,
            "rate": 1_000_000,
            "seconds_left": 2,
            "trouble": "the connection broke",
            "failures": 0,
            "source": "https://mirror.example",
            "check": "not pinned yet: pinned on first use",
            "checked_at": None,
            "fault": None,
            "urls": [f"https://factory.example/{KERNEL}"],
            "sums_urls": [],
        }
    ]


async def test_files_of_a_version_that_is_not_chosen_yet_are_missing(
    counter: Counter, tmp_path: Path
) -> None:
    (row,) = (await asked(counter, SmallDesk(tmp_path, {}, stable=("talos",)), AssetsStatus()))["files"]
    assert (row["name"], row["version"], row["ready"], row["state"]) == ("talos", "stable", False, "missing")
    assert row["trouble"].startswith("which version is stable is not known yet; ")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Digest("sha256", "00"), "sha256 pinned"),
        (Digest("sha256", "00", first_use=True), "sha256 pinned on first use"),
        (SumsFile(("u",), "sha512", "n"), "sha512 of the publisher, not signed"),
        (SumsFile(("u",), "sha256", "n", ("s",), "k"), "sha256 of the publisher, signed"),
        (FirstUse(), "not pinned yet: pinned on first use"),
    ],
)
def test_how_a_file_is_checked_in_words(check: Check, words: str) -> None:
    assert checked_by(check) == words


def test_a_file_that_is_being_read_again_is_there() -> None:
    status = wanted(KERNEL, state=State.VERIFYING)
    assert not is_there(status), "it is an import"
    assert is_there(replace(status, checked_at=CHECKED))
