"""Which version ``stable`` stands for, by what the publishers list. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from iluvatar_pxe.catalogue.kubernetes import RANGES
from iluvatar_pxe.catalogue.lock import STABLE

CONTRACTS = frozenset(RANGES)
"""Releases of Talos that this daemon can boot and configure, by major and minor version."""
CHANNELS: Mapping[str, str] = MappingProxyType({"k3s": "https://update.k3s.io/v1-release/channels"})
"""By entry of the catalogue but Talos, where its publisher tells what is stable; ``mirrors`` hold for it, too."""
NUMBER = r"(?:0|[1-9][0-9]{0,3})"
"""A part of a version: without leading zeros, so that a version has one spelling."""
_RELEASE = re.compile(rf"v({NUMBER})\.({NUMBER})\.({NUMBER})")
_K3S = re.compile(rf"v{NUMBER}\.{NUMBER}\.{NUMBER}\+k3s{NUMBER}")


def newest_stable(
    versions: Iterable[str], broken: Collection[str], contracts: Collection[tuple[int, int]] = CONTRACTS
) -> str | None:
    """Return the newest patch of the newest supported release that has one; None where there is none.

    Pre-releases do not count, nor what is ``broken``.
    """
    found = [
        ((int(one[1]), int(one[2]), int(one[3])), version)
        for version in versions
        if version not in broken and (one := _RELEASE.fullmatch(version))
    ]
    return max((one for one in found if one[0][:2] in contracts), default=(None, None))[1]


def k3s_stable(channels: Any) -> str | None:
    """Return the version of k3s' channel ``stable``, by the channel server's JSON; None where that names none."""
    listed = channels.get("data") if isinstance(channels, dict) else None
    for channel in listed if isinstance(listed, list) else ():
        if isinstance(channel, dict) and STABLE in {channel.get("id"), channel.get("name")}:
            latest = channel.get("latest")
            return latest if isinstance(latest, str) and _K3S.fullmatch(latest) else None
    return None
