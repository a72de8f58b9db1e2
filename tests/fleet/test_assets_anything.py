"""Whatever stands in ``assets`` and in the lock: it is a fleet, whose wishes come to downloads, or its faults are told."""

import json
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from iluvatar_pxe.boot.wanted import wishes_of
from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.catalogue.resolve import downloads
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.resources import read_catalogue

CATALOGUE = parse_catalogue(read_catalogue())
LAYERS = {
    "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9}\n",
    "layers/ainur.yaml": "kind: k3s\nimage: mine-7\n",
}
ODD: tuple[Any, ...] = (None, True, 3, "", "ä", [], {})
USUAL = 60


def some(*texts: Any) -> st.SearchStrategy[Any]:
    """Return one of a few values that are mostly right, or now and then anything."""
    usual = texts * (USUAL // len(texts))
    return st.sampled_from((*usual, *ODD))


NAME = some(
    "tool",
    "tool-{version}",
    "a/{version}/{arch}",
    "ipxe/snponly.efi",
    "talos/{schematic}/{version}/x",
    "i/{published}",
)
URL = some(
    "https://e.org/x",
    "https://e.org/{version}",
    "https://e.org/{version}-{arch}",
    "https://e.org/{published}",
    "https://e.org/{schematic}/{version}",
    "http://e.org/x",
)
VERSION = some("1", "7", "v1.37.1+k3s1", "stable")
SUMS = st.fixed_dictionaries({"urls": st.lists(URL, max_size=2), "name": NAME})


FITTING = (
    ("tool", "https://e.org/x"),
    ("tool-{version}", "https://e.org/{version}"),
    ("a/{version}/{arch}", "https://e.org/{version}-{arch}"),
    ("ipxe/snponly.efi", "https://e.org/x"),
    ("ipxe/2.0.0/ipxeboot.tar.gz", "https://e.org/x"),
    ("i/{version}", "https://e.org/{published}"),
    ("talos/{schematic}/{version}/kernel-{arch}", "https://e.org/{schematic}/{version}-{arch}"),
)


def file_of(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    optional = {"arch": some("amd64", "arm64"), "sha256": some("a" * 64), "sums": SUMS}
    fitting = st.sampled_from(FITTING).flatmap(
        lambda pair: st.fixed_dictionaries(
            {"name": st.just(pair[0]), "urls": st.just([pair[1]]), **more}, optional={"arch": some("arm64")}
        )
    )
    other = {"name": NAME, "urls": st.lists(URL, min_size=1, max_size=2), **more}
    return st.one_of(fitting, fitting, st.fixed_dictionaries(other, optional=optional))


def entry_of(file: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {"files": st.lists(file, min_size=1, max_size=2), "version": VERSION, **more},
        optional={
            "architectures": some(["amd64"], ["amd64", "arm64"]),
            "published": st.dictionaries(st.sampled_from(["1", "7"]), VERSION, max_size=1),
        },
    )


MEMBERS = st.dictionaries(st.sampled_from(["a", "b"]), NAME, min_size=1, max_size=2)
ENTRY = st.one_of(
    entry_of(file_of()),
    entry_of(file_of(unpack=some("archive"), members=MEMBERS)),
    entry_of(
        file_of(unpack=some("pi-image")),
        image=some("mine-{version}", "mine-7", "fixed"),
        series=some(None, "7"),
    ),
)
KEYS = st.sampled_from(["tool", "other", "talos", "ipxe", "k3s", "ubuntu-24.04"])
ASSETS = st.fixed_dictionaries(
    {},
    optional={
        "versions": st.dictionaries(KEYS, VERSION, max_size=1),
        "entries": st.dictionaries(KEYS, ENTRY, max_size=2),
        "mirrors": st.dictionaries(
            some("https://e.org/", "https://").filter(lambda key: isinstance(key, str)),
            st.lists(URL, max_size=1),
            max_size=1,
        ),
    },
)
LOCK = st.fixed_dictionaries(
    {},
    optional={
        "files": st.dictionaries(
            st.sampled_from(["tool", "tool-1", "a/7/arm64", "../x"]),
            st.fixed_dictionaries({"sha256": some("a" * 64, "b" * 64), "size": some(0, 5)}),
            max_size=2,
        ),
        "versions": st.dictionaries(KEYS, st.fixed_dictionaries({"stable": VERSION}), max_size=2),
    },
)


def assert_files(told: list[str]) -> None:
    assert set(told) <= {"fleet.yaml", "assets.lock.yaml"}


@given(ASSETS, LOCK)
def test_it_is_a_fleet_or_its_faults_are_told(assets: dict[str, Any], lock: dict[str, Any]) -> None:
    files = {"fleet.yaml": json.dumps({"assets": assets}), "assets.lock.yaml": json.dumps(lock), **LAYERS}
    try:
        fleet = parse_fleet(files)
    except FleetError as error:
        told = [line.partition(":")[0] for line in error.findings]
        event(f"faults in {sorted(set(told))}")
        assert_files(told)
        return
    event(f"a fleet with {len(fleet.settings.assets.entries)} entries")
    got = downloads(CATALOGUE, fleet.settings.assets, fleet.lock, wishes_of(fleet))
    given_assets = [asset for one in got for asset in one.assets]
    assert len(given_assets) == len(set(given_assets)), "each asset has one download that gives it"
    assert len({one.name for one in got}) == len(got)
    assert not any("{" in text for one in got for text in (one.name, one.folder, *one.urls, *one.assets))
