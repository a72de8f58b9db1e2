"""What becomes of wishes: by the catalogue, the fleet's own part of it, and what is pinned."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.catalogue.download import Digest, Download, FirstUse, SumsFile
from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import AssetsPart, Catalogue
from iluvatar_pxe.catalogue.packages import packages_of, without_installed
from iluvatar_pxe.catalogue.resolve import downloads, unresolved
from iluvatar_pxe.catalogue.wish import Wish

ONE, TWO = "1" * 64, "2" * 64
SUMS = {"urls": ["https://a.example/{version}/sums"], "name": "tool-{version}"}
TOOL = {
    "version": "1.0",
    "files": [
        {
            "name": "tool/{version}/tool",
            "urls": ["https://a.example/{version}/tool"],
            "sha256": ONE,
            "sums": SUMS,
        }
    ],
}
PROGRAMS = {
    "version": "2.0",
    "package": {"name": "programs", "version": "2.0"},
    "files": [
        {
            "name": "programs/{version}/all.tar.gz",
            "urls": ["https://b.example/all-{version}.tar.gz"],
            "unpack": "archive",
            "members": {"all/one": "ipxe/one", "all/two": "ipxe/two"},
        }
    ],
}
BUILT = {
    "architectures": ["amd64", "arm64"],
    "files": [{"name": "t/{version}/k-{arch}", "urls": ["https://c.example/{version}/k-{arch}"]}],
}
CATALOGUE = Catalogue.model_validate({"entries": {"tool": TOOL, "programs": PROGRAMS, "built": BUILT}})


def wish(entry: str, **more: str) -> Wish:
    return Wish(**{"entry": entry, "wanted_by": "fleet.yaml", **more})


def got(
    *wishes: Wish, assets: Mapping[str, Any] | None = None, lock: Mapping[str, Any] | None = None
) -> tuple[Download, ...]:
    part, pins = AssetsPart.model_validate(assets or {}), AssetsLock.model_validate(lock or {})
    return downloads(CATALOGUE, part, pins, wishes)


def test_a_checksum_of_the_catalogue_holds_for_its_own_version() -> None:
    (own,) = got(wish("tool"))
    assert own.check == Digest("sha256", ONE)
    (other,) = got(wish("tool"), assets={"versions": {"tool": "1.1"}})
    assert other.name == "tool/1.1/tool"
    assert other.check == SumsFile(("https://a.example/1.1/sums",), "sha256", "tool-1.1")
    (same,) = got(wish("tool"), assets={"versions": {"tool": "1.0"}})
    assert same == own


@pytest.mark.parametrize(("entry", "first_use"), [("tool", False), ("programs", True)])
def test_what_a_commit_pins_counts_first(entry: str, *, first_use: bool) -> None:
    (before,) = got(wish(entry))
    (after,) = got(wish(entry), lock={"files": {before.name: {"sha256": TWO, "size": 5}}})
    assert after.check == Digest("sha256", TWO, first_use=first_use)
    assert (before.size, after.size) == (None, 5)


def test_who_wants_the_same_file_is_told_once_each() -> None:
    (tool,) = got(wish("tool"), wish("tool", wanted_by="layers/a.yaml"), wish("tool"))
    assert tool.wanted_by == ("fleet.yaml", "layers/a.yaml")


def test_what_no_entry_has_is_left_out() -> None:
    assert got(wish("nothing"), Wish(image="nothing", wanted_by="x")) == ()


def test_an_entry_without_a_version_waits_for_one() -> None:
    assert got(wish("built")) == ()
    names = [one.name for one in got(wish("built", version="v1"))]
    assert names == ["t/v1/k-amd64", "t/v1/k-arm64"]
    assert [one.name for one in got(wish("built", version="v1", arch="arm64"))] == ["t/v1/k-arm64"]


def test_stable_is_what_a_commit_says() -> None:
    wanted = wish("built", version="stable", arch="arm64")
    assert got(wanted) == ()
    assert unresolved(AssetsLock(), [wanted, wish("tool"), wanted, wish("built", version="v1")]) == ("built",)
    lock = {"versions": {"built": {"stable": "v1.14.0"}}}
    assert [one.name for one in got(wanted, lock=lock)] == ["t/v1.14.0/k-arm64"]
    assert unresolved(AssetsLock.model_validate(lock), [wanted]) == ()


def test_mirrors_come_before_the_publisher_for_lists_too() -> None:
    mirrors = {
        "https://a.example/": ["http://nas.lan/a/", "https://other.lan/"],
        "https://b.example/": ["http://nas.lan/b/"],
    }
    (tool,) = got(wish("tool"), assets={"mirrors": mirrors, "versions": {"tool": "1.1"}})
    assert tool.urls == (
        "http://nas.lan/a/1.1/tool",
        "https://other.lan/1.1/tool",
        "https://a.example/1.1/tool",
    )
    assert isinstance(tool.check, SumsFile)
    assert tool.check.urls[0] == "http://nas.lan/a/1.1/sums"


def test_an_entry_of_the_fleet_replaces_the_one_of_its_name() -> None:
    mine = {
        "version": "9",
        "files": [{"name": "tool/{version}/mine", "urls": ["https://d.example/{version}"]}],
    }
    (tool,) = got(wish("tool"), assets={"entries": {"tool": mine}})
    assert (tool.name, tool.check) == ("tool/9/mine", FirstUse())


def test_an_asset_of_the_fleet_is_given_by_the_fleets_entry_alone() -> None:
    mine = {"files": [{"name": "ipxe/one", "urls": ["https://d.example/one"], "sha256": TWO}]}
    found = got(wish("programs"), wish("mine"), assets={"entries": {"mine": mine}})
    assert [one.name for one in found if one.gives("ipxe/one")] == ["ipxe/one"]
    assert [one.name for one in found if one.gives("ipxe/two")] == ["programs/2.0/all.tar.gz"]


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("own-7", "7"),
        ("own-7.1b", "7.1b"),
        ("own-", None),
        ("fixed", "3"),
        ("odd-1.2", None),
        ("odd-2.2", "2.2"),
    ],
)
def test_an_image_of_the_fleet_is_known_by_its_name(image: str, version: str | None) -> None:
    file = {"name": "i/{version}", "urls": ["https://d.example/{version}"], "unpack": "pi-image"}
    entries = {
        "own": {"image": "own-{version}", "files": [file]},
        "fixed": {"image": "fixed", "version": "3", "files": [file]},
        "odd": {"image": "odd-{version}", "series": "2", "files": [file]},
    }
    found = got(Wish(image=image, wanted_by="x"), assets={"entries": entries})
    assert [(one.version, one.folder) for one in found] == (
        [(version, f"raspberry-pi/{image}")] if version else []
    )


def test_a_file_of_the_fleet_takes_the_place_of_one_with_its_name() -> None:
    mine = {"files": [{"name": "tool/1.0/tool", "urls": ["https://d.example/tool"], "sha256": TWO}]}
    (tool,) = got(wish("tool"), wish("mine"), assets={"entries": {"mine": mine}})
    assert tool.urls == ("https://d.example/tool",)


@pytest.mark.parametrize(
    ("version", "is_wanted"),
    [
        (None, True),
        ("1.0.0+git-20190125.36a4c85-5.1", True),
        ("1.21.1+git20250501.5a7a7a7-1", True),
        ("1.99", True),
        ("2.0", False),
        ("2.0.0+git20260306-1", False),
        ("1:2.0-1", False),
        ("2.1~rc1-1", False),
        ("10.0", False),
        ("unknown", True),
    ],
)
def test_a_package_that_is_new_enough_is_used(version: str | None, *, is_wanted: bool) -> None:
    installed = {"programs": version} if version else {}
    wishes = (wish("programs"), wish("tool"), Wish(image="x", wanted_by="y"))
    left = without_installed(wishes, CATALOGUE, AssetsPart(), installed)
    assert (wishes[0] in left) == is_wanted
    assert left[-2:] == wishes[-2:]
    named = AssetsPart(versions={"programs": "2.5"})
    assert without_installed(wishes, CATALOGUE, named, installed) == wishes
    assert packages_of(CATALOGUE) == {"programs"}


VERSIONS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,20}", fullmatch=True).filter(
    lambda text: ".." not in text
)


@given(VERSIONS)
def test_whatever_the_version_addresses_and_names_stay_below_their_folder(version: str) -> None:
    (one,) = got(wish("tool"), assets={"versions": {"tool": version}})
    assert one.name == f"tool/{version}/tool"
    assert one.urls[0].startswith("https://a.example/")
    assert one.urls[0].count("/") == 4
    assert "+" not in one.urls[0]
