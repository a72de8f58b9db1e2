"""Turns what a fleet wants into files to download. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from iluvatar_pxe.catalogue.download import Check, Digest, Download, FirstUse, SumsFile
from iluvatar_pxe.catalogue.lock import AssetsLock, Pin
from iluvatar_pxe.catalogue.model import AssetsPart, Catalogue, Entry, File
from iluvatar_pxe.catalogue.wish import Wish

IMAGES = "raspberry-pi"
"""The folder of the assets with a folder for each Raspberry Pi image."""
_VARIABLE = re.compile(r"\{(\w+)\}")

Mirrors = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A wish with the entry that fulfils it. ``is_own``: its version is the entry's, whose checksums hold then."""

    wish: Wish
    entry: Entry
    version: str | None
    is_own: bool


def downloads(
    catalogue: Catalogue, overrides: AssetsPart, lock: AssetsLock, wishes: Iterable[Wish]
) -> tuple[Download, ...]:
    """Return the files that fulfil the wishes, each once, with everybody who wants it.

    What no entry has, and what has no version yet (``unresolved``), is left out.
    """
    entries = {**catalogue.entries, **overrides.entries}
    found: dict[str, Download] = {}
    for wish in wishes:
        wanted = _wanted(wish, entries, overrides, lock)
        for download in _downloads_of(wanted, lock, overrides.mirrors) if wanted else ():
            known = found.setdefault(download.name, download)
            who = tuple(dict.fromkeys((*known.wanted_by, *download.wanted_by)))
            found[download.name] = replace(known, wanted_by=who)
    return tuple(found.values())


def unresolved(lock: AssetsLock, wishes: Iterable[Wish]) -> tuple[str, ...]:
    """Return the entries of which ``stable`` is wanted, and no commit says yet which version that is."""
    open_ones = (
        wish.entry for wish in wishes if wish.version and lock.resolved(wish.entry, wish.version) is None
    )
    return tuple(dict.fromkeys(open_ones))


def _wanted(
    wish: Wish, entries: Mapping[str, Entry], overrides: AssetsPart, lock: AssetsLock
) -> _Wanted | None:
    if wish.image:
        return next(filter(None, (_of_image(wish, entry) for entry in entries.values())), None)
    entry = entries.get(wish.entry)
    if entry is None:
        return None
    version = lock.resolved(wish.entry, wish.version) or overrides.versions.get(wish.entry) or entry.version
    if wish.version and lock.resolved(wish.entry, wish.version) is None:
        return None
    return _Wanted(wish, entry, version, version == entry.version)


def _of_image(wish: Wish, entry: Entry) -> _Wanted | None:
    """Return the version of an entry that an image's name means, if it means one."""
    if entry.image is None:
        return None
    pattern = re.escape(entry.image).replace(
        re.escape("{version}"), r"(?P<version>[A-Za-z0-9][A-Za-z0-9._+~-]*)"
    )
    found = re.fullmatch(pattern, wish.image)
    if found is None:
        return None
    version = found.groupdict().get("version", entry.version)
    if entry.series and version and not f"{version}.".startswith(f"{entry.series}."):
        return None
    return _Wanted(wish, entry, version, version == entry.version)


def _downloads_of(wanted: _Wanted, lock: AssetsLock, mirrors: Mirrors) -> Iterator[Download]:
    for file in wanted.entry.files:
        architectures = (file.arch,) if file.arch else wanted.entry.architectures
        for arch in architectures or (None,):
            if wanted.wish.arch in {None, arch} or arch is None:
                values = _values(wanted, arch)
                if values.keys() >= _needed(file):
                    yield _download(wanted, file, values, lock, mirrors)


def _values(wanted: _Wanted, arch: str | None) -> dict[str, str]:
    """Return what the variables of a file's texts stand for, as far as that is known."""
    published = wanted.entry.published if wanted.is_own else None
    known = {
        "version": wanted.version,
        "published": published or wanted.version,
        "arch": arch,
        "schematic": wanted.wish.schematic,
    }
    return {name: value for name, value in known.items() if value is not None}


def _needed(file: File) -> set[str]:
    return {name for text in file.texts for name in _VARIABLE.findall(text)}


def _download(
    wanted: _Wanted, file: File, values: Mapping[str, str], lock: AssetsLock, mirrors: Mirrors
) -> Download:
    name = _filled(file.name, values)
    pin = lock.files.get(name)
    return Download(
        name=name,
        version=wanted.version or "",
        urls=_addresses(file.urls, values, mirrors),
        check=_check(wanted, file, pin, values, mirrors),
        size=pin.size if pin else None,
        unpack=file.unpack,
        members={_filled(path, values): _filled(asset, values) for path, asset in file.members.items()},
        folder=f"{IMAGES}/{wanted.wish.image}" if wanted.entry.image else "",
        builds=wanted.entry.builds,
        withdrawn=wanted.entry.withdrawn,
        wanted_by=(wanted.wish.wanted_by,),
    )


def _check(
    wanted: _Wanted, file: File, pin: Pin | None, values: Mapping[str, str], mirrors: Mirrors
) -> Check:
    """What a commit pins counts before what came with the daemon, and that before the publisher's list."""
    if pin:
        return Digest("sha256", pin.sha256, first_use=not file.is_checked)
    if wanted.is_own and file.sha256:
        return Digest("sha256", file.sha256)
    if wanted.is_own and file.sha512:
        return Digest("sha512", file.sha512)
    if sums := file.sums:
        return SumsFile(
            urls=_addresses(sums.urls, values, mirrors),
            algorithm=sums.algorithm,
            name=_filled(sums.name, values),
            signatures=_addresses(sums.signatures, values, mirrors),
            key=sums.key or "",
        )
    return FirstUse()


def _addresses(templates: Iterable[str], values: Mapping[str, str], mirrors: Mirrors) -> tuple[str, ...]:
    """Return all addresses, those of mirrors first; in an address a version's ``+`` is ``%2B``."""
    quoted = {name: quote(value, safe="") for name, value in values.items()}
    plain = [_filled(template, quoted) for template in templates]
    mirrored = [
        mirror + url.removeprefix(prefix)
        for url in plain
        for prefix, places in mirrors.items()
        if url.startswith(prefix)
        for mirror in places
    ]
    return tuple(dict.fromkeys((*mirrored, *plain)))


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values[found[1]], template)
