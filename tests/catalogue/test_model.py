"""What an entry may say, in the catalogue and in a fleet."""

from typing import Any

import pytest
from pydantic import ValidationError

from iluvatar_pxe.catalogue.model import AssetsPart, Entry, parse_catalogue
from iluvatar_pxe.errors import AssetError

FILE = {"name": "a/{version}/b", "urls": ["https://example.org/{version}"]}


def entry(**changes: Any) -> dict[str, Any]:
    """Return a valid entry with changes to its only file; with a capital letter, to the entry itself."""
    own = {name.lower(): value for name, value in changes.items() if name[0].isupper()}
    file = {**FILE, **{name: value for name, value in changes.items() if name[0].islower()}}
    return {"version": "1", "files": [file], **own}


@pytest.mark.parametrize(
    "good",
    [
        entry(),
        entry(sha256="0" * 64),
        entry(urls=["http://example.org:8080/{version}?a=b&c=%2B"], sha512="0" * 128),
        entry(urls=["https://[fd00::1]:65535/{published}"], Published={"1": "abc"}),
        entry(name="a/{version}-{arch}", urls=["https://example.org/{arch}"], Architectures=["amd64"]),
        entry(name="a/{version}-{arch}", arch="arm64", sha256="0" * 64),
        entry(name="fixed", urls=["https://example.org/fixed"], Version=None),
        entry(unpack="archive", members={"x-{version}/a+b": "c/d"}),
        entry(unpack="pi-image", Image="mine-{version}"),
        entry(sums={"urls": ["https://example.org/sums"], "name": "b", "algorithm": "sha512"}),
        entry(
            urls=["http://example.org/{version}"],
            sums={
                "urls": ["http://e.org/s"],
                "name": "b",
                "signatures": ["http://e.org/s.gpg"],
                "key": "ubuntu-cdimage",
            },
        ),
    ],
)
def test_what_an_entry_may_say(good: dict[str, Any]) -> None:
    assert Entry.model_validate(good).files


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (entry(name="/etc/passwd"), "write a path below the assets"),
        (entry(name="../{version}"), "write a path below the assets"),
        (entry(name="a/{version}.part"), "the daemon has files called '.part' itself"),
        (entry(name="a/{version}.part.json"), "the daemon has files called '.part.json' itself"),
        (entry(name="a.part/{version}"), "the daemon has files called '.part' itself"),
        (entry(name="by-sha256/{version}"), "the daemon has files called 'by-sha256' itself"),
        (entry(name="raspberry-pi/a-{version}/facts.json"), "the daemon has files called"),
        (entry(name="a/../{version}"), "write a path below the assets"),
        (entry(name="a/.hidden/{version}"), "write a path below the assets"),
        (entry(name="a/{colour}"), "write a path below the assets"),
        (entry(name=f"{'a' * 200}{{version}}"), "at most 200 characters"),
        (entry(urls=[f"https://example.org/{'a' * 2000}"]), "write an address"),
        (entry(name="a//{version}"), "write a path below the assets"),
        (entry(urls=[]), "is empty; write at least one item"),
        (entry(urls=["ftp://example.org/{version}"]), "write an address"),
        (entry(urls=["file:///etc/passwd"]), "write an address"),
        (entry(urls=["https://user:word@example.org/{version}"]), "without a user or a password"),
        (entry(urls=["https://example.org/{0.__class__}"]), "write an address"),
        (entry(urls=["https://example.org/a b"]), "write an address"),
        (entry(urls=["https://example.org"]), "write an address"),
        (entry(urls=["https://example.org:65536/{version}"]), "write an address"),
        (entry(urls=["http://example.org/{version}"]), "anybody on the way can change"),
        (
            entry(urls=["http://e.org/{version}"], sums={"urls": ["https://e.org/s"], "name": "b"}),
            "anybody on the way",
        ),
        (entry(name="a/b"), "{version} chooses another file"),
        (entry(name="a/b", urls=["https://example.org/{published}"]), "{version} chooses another file"),
        (entry(name="a/{version}", urls=["https://e.org/{arch}"], Architectures=["amd64"]), "{arch} chooses"),
        (entry(name="a/{version}-{arch}"), "{arch} needs 'architectures'"),
        (
            entry(name="a/{version}-{arch}", sha256="0" * 64, Architectures=["arm64"]),
            "a checksum is that of one file",
        ),
        (entry(sha256="0" * 64, sha512="0" * 128), "remove the other"),
        (entry(sha256="0" * 63), "write a SHA-256 checksum"),
        (entry(sha256="A" * 64), "write a SHA-256 checksum"),
        (entry(unpack="zip"), "Input should be"),
        (entry(unpack="archive"), "'unpack: archive' and 'members'"),
        (entry(members={"a": "b"}), "'unpack: archive' and 'members'"),
        (entry(unpack="archive", members={"a": "../b"}), "write a path below the assets"),
        (
            entry(unpack="archive", members={"a": "c", "b": "c"}),
            "two of 'members' have the same logical name",
        ),
        (entry(unpack="pi-image"), "'image' and one file"),
        (entry(Image="mine"), "'image' and one file"),
        (
            entry(
                Image="a",
                Files=[{**FILE, "unpack": "pi-image"}, {**FILE, "name": "c/{version}", "unpack": "pi-image"}],
            ),
            "'image' and one file",
        ),
        (
            entry(name="raspberry-pi/mine-{version}/disk.img", unpack="pi-image", Image="mine-{version}"),
            "name a file of an entry with 'image' otherwise, such as images/{version}/disk.img.xz",
        ),
        (
            entry(
                Image="mine",
                Files=[{**FILE, "unpack": "pi-image"}, {**FILE, "name": "raspberry-pi/mine/{version}"}],
            ),
            "what is in raspberry-pi/ comes out of an image",
        ),
        (entry(unpack="pi-image", Image="mine-{arch}"), "write the name of an image"),
        (entry(unpack="pi-image", Image="{version}-{version}"), "write the name of an image"),
        (
            entry(sums={"urls": ["https://e.org/s"], "name": "b", "key": "ubuntu-cdimage"}),
            "'signatures' and 'key'",
        ),
        (entry(sums={"urls": ["https://e.org/s"], "name": "a b"}), "as the list of checksums has it"),
        *(
            (entry(sums={"urls": [f"https://e.org/{end}"], "name": "b"}), "has no file name at its end")
            for end in ("?list", "a/", "a/.", "..", "%2E", "a%2F", "%00", "{version}/")
        ),
        (
            entry(
                sums={
                    "urls": ["https://e.org/s"],
                    "name": "b",
                    "signatures": ["https://e.org/"],
                    "key": "ubuntu-cdimage",
                }
            ),
            "has no file name at its end",
        ),
        (entry(Version="1/2"), "write a version"),
        (entry(Version="24.04.5", Series="26.04"), "go on from 'series'"),
        (entry(Version="1..2"), "'..' is not allowed"),
        (entry(Package={"name": "x", "version": "1"}), "Extra inputs are not permitted"),
        (entry(Colour="red"), "Extra inputs are not permitted"),
        ({"version": "1"}, "Field required"),
    ],
)
def test_what_it_must_not_say(bad: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Entry.model_validate(bad)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "mirrors",
    [
        {"https://example.org": ["https://nas.lan/"]},
        {"https://example.org/": ["nas.lan/"]},
        {"https://example.org/": []},
        {"https://example.org/": ["https://nas.lan/{version}/"]},
    ],
)
def test_a_mirror_stands_for_the_beginning_of_addresses(mirrors: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AssetsPart.model_validate({"mirrors": mirrors})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a", "catalogue.toml: Expected"),
        ("[a]\nversion = '1'\n", "catalogue.toml: a.files: Field required; install iluvatar-pxe again"),
        ("[a]\nfiles = []\n", "catalogue.toml: a.files: "),
    ],
)
def test_a_damaged_catalogue_names_the_key(text: str, told: str) -> None:
    with pytest.raises(AssetError) as caught:
        parse_catalogue(text)
    assert str(caught.value).startswith(told)
