"""Turns what a fleet wants into files to download. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from iluvatar_pxe.catalogue.download import Check, Digest, Download, FirstUse, SumsFile
from iluvatar_pxe.catalogue.lock import AssetsLock, Pin
from iluvatar_pxe.catalogue.model import IMAGES, AssetsPart, Catalogue, Entry, File, filled, variables
from iluvatar_pxe.catalogue.wish import Wish
from iluvatar_pxe.values import replace

Mirrors = Mapping[str, tuple[str, ...]]


class _Wanted(Struct, frozen=True):
    """A wish with the entry that fulfils it. ``is_own``: its version is the entry's, whose checksums hold then."""

    wish: Wish
    entry: Entry
    version: str | None
    is_own: bool


def downloads(
    catalogue: Catalogue, overrides: AssetsPart, lock: AssetsLock, wishes: Iterable[Wish]
) -> tuple[Download, ...]:
    """Return the files that fulfil the wishes, each once, with everybody who wants it.

    What no entry has, and what has no version yet (``unresolved``), is left out. The fleet's own entries come before
    those of the catalogue: each asset has one download that gives it.
    """
    entries: dict[str, Entry] = {**overrides.entries, **catalogue.entries, **overrides.entries}
    found: dict[str, Download] = {}
    givers: dict[str, str] = {}
    for wish in sorted(wishes, key=lambda one: one.entry not in overrides.entries):
        wanted = _wanted(wish, entries, overrides, lock)
        for download in _downloads_of(wanted, lock, overrides.mirrors) if wanted else ():
            if givers.setdefault(download.name, download.name) == download.name:
                known = found.setdefault(download.name, _without_others(download, givers))
                who = tuple(dict.fromkeys((*known.wanted_by, *download.wanted_by)))
                found[download.name] = replace(known, wanted_by=who)
    return tuple(found.values())


def _without_others(download: Download, givers: dict[str, str]) -> Download:
    """Return a download with those members only that no other one gives, and note them."""
    members = {
        path: asset
        for path, asset in download.members.items()
        if givers.setdefault(asset, download.name) == download.name
    }
    return replace(download, members=members)


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
    entry, chosen = entries.get(wish.entry), lock.resolved(wish.entry, wish.version)
    if entry is None or (wish.version and chosen is None):
        return None
    version = chosen or overrides.versions.get(wish.entry) or entry.version
    return _Wanted(wish, entry, version, version == entry.version)


def _of_image(wish: Wish, entry: Entry) -> _Wanted | None:
    """Return the version of an entry that an image's name means, if it means one."""
    if entry.image is None:
        return None
    before, variable, after = entry.image.partition("{version}")
    found = re.fullmatch(
        f"{re.escape(before)}({_shape(entry) if variable else ''}){re.escape(after)}", wish.image
    )
    if found is None:
        return None
    version = found[1] or entry.version
    return _Wanted(wish, entry, version, version == entry.version)


def _shape(entry: Entry) -> str:
    """Return what versions of an image look like: with digits where its own has some, all others alike.

    An image that somebody copied, and whose name only begins like one of the catalogue's, is none of it.
    """
    series = f"{entry.series}." if entry.series else ""
    if entry.version is None:
        return re.escape(series) + r"[\w.+~-]+"
    return re.escape(series) + re.sub(r"\d+", r"\\d+", re.escape(entry.version.removeprefix(series)))


def _downloads_of(wanted: _Wanted, lock: AssetsLock, mirrors: Mirrors) -> Iterator[Download]:
    for file in wanted.entry.files:
        architectures = (file.arch,) if file.arch else wanted.entry.architectures
        for arch in architectures or (None,):
            if wanted.wish.arch in {None, arch} or arch is None:
                values = _values(wanted, arch)
                if values.keys() >= variables(*file.texts, wanted.entry.image or ""):
                    yield _download(wanted, file, values, lock, mirrors)


def _values(wanted: _Wanted, arch: str | None) -> dict[str, str]:
    """Return what the variables of a file's texts stand for, as far as that is known."""
    known = {
        "version": wanted.version,
        "published": wanted.entry.published.get(wanted.version or "", wanted.version),
        "arch": arch,
        "schematic": wanted.wish.schematic,
    }
    return {name: value for name, value in known.items() if value is not None}


def _download(
    wanted: _Wanted, file: File, values: Mapping[str, str], lock: AssetsLock, mirrors: Mirrors
) -> Download:
    name = filled(file.name, values)
    pin = lock.files.get(name)
    return Download(
        name=name,
        version=wanted.version or "",
        urls=_addresses(file.urls, values, mirrors),
        check=_check(wanted, file, pin, values, mirrors),
        size=pin.size if pin else None,
        unpack=file.unpack,
        members={filled(path, values): filled(asset, values) for path, asset in file.members.items()},
        folder=f"{IMAGES}/{filled(wanted.entry.image, values)}" if wanted.entry.image else "",
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
            name=filled(sums.name, values),
            signatures=_addresses(sums.signatures, values, mirrors),
            key=sums.key or "",
        )
    return FirstUse()


def _addresses(templates: Iterable[str], values: Mapping[str, str], mirrors: Mirrors) -> tuple[str, ...]:
    """Return all addresses, those of mirrors first; in an address a version's ``+`` is ``%2B``."""
    quoted = {name: quote(value, safe="") for name, value in values.items()}
    return with_mirrors([filled(template, quoted) for template in templates], mirrors)


def with_mirrors(urls: Sequence[str], mirrors: Mirrors) -> tuple[str, ...]:
    """Return addresses behind those of their mirrors."""
    mirrored = [
        mirror + url.removeprefix(prefix)
        for url in urls
        for prefix, places in mirrors.items()
        if url.startswith(prefix)
        for mirror in places
    ]
    return tuple(dict.fromkeys((*mirrored, *urls)))
