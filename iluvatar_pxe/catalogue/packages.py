"""Entries that a package of the host's system stands for, where that is new enough. Pure."""

import re
from collections.abc import Iterable, Mapping

from iluvatar_pxe.catalogue.model import AssetsPart, Catalogue
from iluvatar_pxe.catalogue.wish import Wish

_UPSTREAM = re.compile(r"(?:\d+:)?([0-9.]+)")
"""The numbers of a package's version: without its epoch, and what Debian or a snapshot adds."""


def packages_of(catalogue: Catalogue) -> frozenset[str]:
    """Return the packages that entries name."""
    return frozenset(entry.package.name for entry in catalogue.entries.values() if entry.package)


def without_installed(
    wishes: Iterable[Wish], catalogue: Catalogue, overrides: AssetsPart, installed: Mapping[str, str]
) -> tuple[Wish, ...]:
    """Return the wishes but for those that an installed package fulfils; ``installed`` are versions by package.

    What the fleet names itself is wanted in any case.
    """
    named = {*overrides.versions, *overrides.entries}
    return tuple(
        wish for wish in wishes if wish.entry in named or not _is_installed(wish.entry, catalogue, installed)
    )


def _is_installed(entry: str, catalogue: Catalogue, installed: Mapping[str, str]) -> bool:
    package = catalogue.entries[entry].package if entry in catalogue.entries else None
    version = installed.get(package.name) if package else None
    return package is not None and version is not None and _numbers(version) >= _numbers(package.version)


def _numbers(version: str) -> tuple[int, ...]:
    found = _UPSTREAM.match(version)
    return tuple(int(part) for part in found[1].split(".") if part) if found else ()
