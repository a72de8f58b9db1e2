"""Commands on boot files: which files names mean, what is asked of the fetcher, and what is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admin.samples import Counter
from support.fetching import damage
from support.three_files import INITRD, KERNEL, PI, ThreeFiles, three_files
from support.waiting import until
from support.wanted import CHECKED, wanted

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
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.data import Data
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.catalogue.download import Check, Digest, FirstUse, SumsFile, checked_by
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.values import replace

NAMES = (PI, INITRD, KERNEL)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ThreeFiles]:
    async with three_files(tmp_path) as made:
        yield made


async def asked(counter: Counter, site: ThreeFiles, command: Command) -> CommandResult:
    return await command.carry_out(replace(counter.context, assets=site.bench.commands), "root")


async def told(counter: Counter, site: ThreeFiles, name: str) -> Data:
    """Return what is told of a file now."""
    answer = await asked(counter, site, AssetsStatus())
    (row,) = (one for one in answer["files"] if one["name"] == name)
    return dict(row)


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


async def test_what_is_missing_is_fetched(counter: Counter, site: ThreeFiles) -> None:
    assert site.bench.progress(KERNEL).state is State.MISSING
    answer = await asked(counter, site, AssetsFetch(names=("talos",)))
    assert answer == {"message": "2 files to fetch", "names": [INITRD, KERNEL]}
    for name in (INITRD, KERNEL):
        await site.bench.reach(name, State.READY)
    assert (await told(counter, site, PI))["state"] == "missing"
    answer = await asked(counter, site, AssetsFetch())
    assert answer == {"message": "1 file to fetch", "names": [PI]}
    await site.bench.reach(PI, State.WAITING)
    row = await told(counter, site, PI)
    assert (row["failures"], "404" in row["trouble"], row["ready"]) == (1, True, False)


async def test_only_what_is_there_is_verified(counter: Counter, tmp_path: Path) -> None:
    async with three_files(tmp_path, fetch=True) as site:
        for name in (INITRD, KERNEL):
            await site.bench.reach(name, State.READY)
        damage(site.bench.assets / KERNEL)
        answer = await asked(counter, site, AssetsVerify())
        assert answer == {"message": "2 files to verify", "names": [INITRD, KERNEL]}
        await until(lambda: site.publisher.offers[f"/{KERNEL}"].answers == 2)
        await site.bench.reach(KERNEL, State.READY)
        row = await told(counter, site, KERNEL)
        assert row["fault"].startswith(f"{KERNEL}: has another checksum than the pinned one")
        assert (await told(counter, site, INITRD))["fault"] is None
        assert site.bench.content(KERNEL) == b"kernel", "it was fetched again"


async def test_an_imported_file_is_verified(counter: Counter, site: ThreeFiles) -> None:
    copy = site.bench.assets / ".copy"
    for content in (b"other", b"kernel"):
        copy.write_bytes(content)
        await asked(counter, site, AssetsImport(name=KERNEL, file=copy))
        await until(lambda: not copy.exists())
        await site.bench.reach(KERNEL, State.READY if content == b"kernel" else State.MISSING)
        assert bool((await told(counter, site, KERNEL))["fault"]) == (content == b"other")
    assert ((await told(counter, site, KERNEL))["source"], site.publisher.asked) == ("imported", [])
    with pytest.raises(OperationError, match=r"^other: there is no such file"):
        await asked(counter, site, AssetsImport(name="other", file=copy))


async def test_what_nobody_wants_is_removed(counter: Counter, site: ThreeFiles) -> None:
    bench, names = (
        site.bench,
        ("talos/1/v1.12.0/kernel-amd64", "talos/2/v1.13.8/kernel-amd64", "ubuntu/a.img"),
    )
    old, before, withdrawn = (site.of(name, b"content") for name in names)
    await bench.get(old, replace(withdrawn, withdrawn=True))
    await bench.get(before)
    await site.want()
    unnamed = "its publisher may not offer it any more; it is removed if you name it"
    shown = (await asked(counter, site, AssetsLeftovers()))["files"]
    assert [(one["name"], one["goes"], one["kept_for"], one["size"]) for one in shown] == [
        (old.name, True, None, 7),
        (before.name, False, "the commit before wants it", 7),
        (withdrawn.name, False, unnamed, 7),
    ]
    assert await asked(counter, site, AssetsGc()) == {"message": "1 file removed", "files": shown}
    assert [(bench.assets / name).exists() for name in names] == [False, True, True]
    assert not (bench.assets / "talos/1").exists()
    named = (withdrawn.name, before.name)
    shown = (await asked(counter, site, AssetsLeftovers(names=named)))["files"]
    assert [(one["name"], one["goes"]) for one in shown] == [(before.name, False), (withdrawn.name, True)]
    assert (await asked(counter, site, AssetsGc(names=named)))["files"] == shown
    assert [(bench.assets / name).exists() for name in names] == [False, True, False]
    assert [one["name"] for one in (await asked(counter, site, AssetsLeftovers()))["files"]] == [before.name]


async def test_everything_is_told_of_a_file(counter: Counter, site: ThreeFiles) -> None:
    how = {"truncate": 1 << 20, "times": 1, "rate": 2 << 20}
    await site.want(replace(site.of(KERNEL, bytes(3 << 20), **how), check=FirstUse()))
    await asked(counter, site, AssetsFetch(names=(KERNEL,)))
    await until(
        lambda: (now := site.bench.progress(KERNEL)).done > 1 << 20 and now.seconds_left and now.trouble
    )
    row = await told(counter, site, KERNEL)
    now = site.bench.progress(KERNEL)
    assert row == {
        "name": KERNEL,
        "version": "v1",
        "wanted_by": ["layers/arda.yaml"],
        "ready": False,
        "state": "loading",
        "before": 0,
        "bytes": now.done,
        "size": 3 << 20,
        "percent": now.done * 100 // (3 << 20),
        "rate": round(now.rate),
        "seconds_left": now.seconds_left,
        "trouble": now.trouble,
        "failures": 0,
        "source": site.publisher.url(f"/{KERNEL}"),
        "check": "not pinned yet: pinned on first use",
        "unpack": "none",
        "checked_at": None,
        "fault": None,
        "urls": [site.publisher.url(f"/{KERNEL}")],
        "sums_urls": [],
    }


async def test_files_of_a_version_that_is_not_chosen_yet_are_missing(
    counter: Counter, site: ThreeFiles
) -> None:
    stuck = Progress(state=State.WAITING, trouble="https://a: answers with no JSON; correct its address")
    site.bench.unresolved = {"talos": stuck, "k3s": Progress(state=State.QUEUED)}
    talos, k3s = await told(counter, site, "talos"), await told(counter, site, "k3s")
    assert (talos["version"], talos["ready"], talos["state"]) == ("stable", False, "waiting")
    assert talos["trouble"] == (
        "which version of talos is stable is not known yet: https://a: answers with no JSON; "
        "correct its address, or write a version into the layer's file"
    )
    assert (k3s["state"], k3s["failures"]) == ("queued", 0)
    assert k3s["trouble"] == (
        "which version of k3s is stable is not known yet; wait while its publisher is asked, "
        "or write a version into the layer's file"
    )
    assert (await asked(counter, site, AssetsFetch(names=("k3s",))))["names"] == ["k3s"]


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
