"""What contradicts itself in ``assets`` of ``fleet.yaml``, or between it and ``assets.lock.yaml``."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from iluvatar_pxe.catalogue.download import Digest, Download
from iluvatar_pxe.catalogue.lock import STABLE, AssetsLock, Pin
from iluvatar_pxe.catalogue.model import IMAGES as FOLDER
from iluvatar_pxe.catalogue.model import AssetsPart, Catalogue, Entry
from iluvatar_pxe.catalogue.names import IMAGES, K3S, NAMES, TALOS
from iluvatar_pxe.catalogue.resolve import downloads
from iluvatar_pxe.catalogue.wish import Wish
from iluvatar_pxe.fleet.fields.values import is_talos_release
from iluvatar_pxe.fleet.k3s import DEFAULT_VERSION, is_k3s_release
from iluvatar_pxe.fleet.source import FLEET_FILE, LOCK_FILE, Source
from iluvatar_pxe.suggest import meant_by

_MAPPING = TypeAdapter[Mapping[str, Any]](Mapping[str, Any])
_ENTRY = TypeAdapter(Entry)
_PIN = TypeAdapter(Pin)
_VERSION = TypeAdapter[str](str)
_RELEASES = {TALOS: (is_talos_release, "v1.13.9"), K3S: (is_k3s_release, DEFAULT_VERSION)}
"""By entry whose version a layer names: what is one, and an example."""


def check_assets(source: Source) -> None:
    """Note in ``source`` versions that are not used, files that come twice, and checksums that differ."""
    entries = _entries(source)
    for name in _keys(source, "versions"):
        if why := _wrong_version(name, entries) or _unknown_stable(name, source):
            location = ("assets", "versions", name)
            source.fault(FLEET_FILE, location, f"assets.versions.{name}: {why}")
    for name, entry in entries.items():
        if why := _lacking(name, entry):
            source.fault(FLEET_FILE, ("assets", "entries", name), f"assets.entries.{name}: {why}")
    _check_once(source, entries)
    _check_folders(source, entries)
    _check_pins(source, entries)
    _check_chosen(source)


def _keys(source: Source, part: str) -> Iterable[str]:
    found = source.part(FLEET_FILE, ("assets", part), _MAPPING)
    return found or ()


def _entries(source: Source) -> dict[str, Entry]:
    """Return the fleet's own entries that are valid by themselves."""
    found = {
        name: source.part(FLEET_FILE, ("assets", "entries", name), _ENTRY)
        for name in _keys(source, "entries")
    }
    return {name: entry for name, entry in found.items() if entry}


def _wrong_version(name: str, entries: Mapping[str, Entry]) -> str:
    """Return why a version is not used, and what to do; empty where it is."""
    if name in _RELEASES:
        return f"the version is '{name}.version' in a layer's file; remove this line"
    if name in entries:
        return "the entry is below 'assets.entries', write its version there"
    if name in IMAGES:
        return "an image's version is in its name, such as 'image: ubuntu-24.04.5'; remove this line"
    if name not in NAMES:
        meant = meant_by(name, NAMES)
        return f"no such entry; {f'did you mean {meant}?' if meant else 'docs/assets.md lists them'}"
    return ""


def _unknown_stable(name: str, source: Source) -> str:
    """Return what to do where ``stable`` is written, and nobody tells what that is; empty where all is well."""
    version = source.part(FLEET_FILE, ("assets", "versions", name), _VERSION)
    return f"nobody tells which version is {STABLE}; write one" if version == STABLE else ""


def _lacking(name: str, entry: Entry) -> str:
    """Return what an entry's texts need that nothing gives; empty where all is there."""
    if name == TALOS:
        return ""
    if "schematic" in entry.variables:
        return "only talos has a {schematic}; remove it"
    if name == K3S:
        return ""
    by_name = entry.image is not None and "{version}" in entry.image
    if entry.version is None and not by_name and entry.variables & {"version", "published"}:
        return "'version' is missing; add it"
    return ""


def _downloads(name: str, entry: Entry) -> tuple[Download, ...]:
    """Return what an entry brings, as far as it says that by itself."""
    wish = Wish(entry=name, wanted_by=FLEET_FILE)
    return downloads(Catalogue(entries={}), AssetsPart(entries={name: entry}), AssetsLock(), [wish])


def _check_once(source: Source, entries: Mapping[str, Entry]) -> None:
    """One logical name is one file."""
    seen: dict[str, str] = {}
    for name, entry in entries.items():
        for asset in (one for got in _downloads(name, entry) for one in (got.name, *got.members.values())):
            if asset in seen:
                other = "this entry" if seen[asset] == name else f"assets.entries.{seen[asset]}"
                text = f"assets.entries.{name}: {other} has a file {asset}, too; rename one of them"
                source.fault(FLEET_FILE, ("assets", "entries", name), text)
            seen[asset] = name


def _check_folders(source: Source, entries: Mapping[str, Entry]) -> None:
    """The folder of an image is replaced as a whole, so no other entry may have a file there."""
    images = {
        name: re.sub(r"\\{version\\}", "[^/]+", re.escape(entry.image))
        for name, entry in entries.items()
        if entry.image
    }
    images |= {name: rf"{re.escape(name)}[.-][\d.-]+" for name in IMAGES if name not in images}
    for name, entry in entries.items():
        for number, file in enumerate(entry.files):
            if owner := next((one for asset in file.names for one in _owners(asset, images)), None):
                location = ("assets", "entries", name, "files", number)
                text = f"is in the folder of an image of entry {owner}, which is replaced as a whole"
                key = source.spelled(FLEET_FILE, location)
                source.fault(FLEET_FILE, location, f"{key}: {text}; choose another name")


def _owners(asset: str, images: Mapping[str, str]) -> Iterator[str]:
    """Return the entries whose image may have its folder where an asset is to be."""
    return (name for name, image in images.items() if re.match(rf"{FOLDER}/{image}/", asset))


def _check_pins(source: Source, entries: Mapping[str, Entry]) -> None:
    """Where a person and the daemon pinned different checksums, a person has to decide."""
    for got in (one for name, entry in entries.items() for one in _downloads(name, entry)):
        pin = source.part(LOCK_FILE, ("files", got.name), _PIN)
        is_own = isinstance(got.check, Digest) and got.check.algorithm == "sha256"
        if pin and is_own and got.check != Digest("sha256", pin.sha256):
            text = f"files.{got.name}: assets in {FLEET_FILE} has another sha256; remove this line, or correct that"
            source.fault(LOCK_FILE, ("files", got.name), text)


def _check_chosen(source: Source) -> None:
    """A person may have written what ``stable`` is to be."""
    for entry, (is_release, example) in _RELEASES.items():
        location = ("versions", entry, STABLE)
        chosen = source.part(LOCK_FILE, location, _VERSION)
        if chosen and not is_release(chosen):
            text = f"write a version such as {example}, or remove this line"
            source.fault(LOCK_FILE, location, f"{'.'.join(location)}: {text}")
