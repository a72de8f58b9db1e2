"""``assets.lock.yaml`` as a model: what was pinned, so that every daemon of the fleet gets the same bytes."""

from collections.abc import Mapping

from pydantic import Field

from iluvatar_pxe.catalogue.fields import AssetName, Bytes, EntryName, Sha256, VersionText
from iluvatar_pxe.declared.base import Model

STABLE = "stable"
"""The version that stands for the newest one that its publisher supports; it is resolved once, and pinned."""


class Pin(Model):
    """A file as it was when it was first downloaded."""

    sha256: Sha256
    """Its checksum."""
    size: Bytes
    """Its bytes."""


class Channels(Model):
    """What the words that stand for a version were resolved to."""

    stable: VersionText | None = None
    """The version that ``stable`` means until this line is removed or changed."""


class AssetsLock(Model):
    """``assets.lock.yaml``: the checksums of downloaded boot files, and what ``stable`` means; for every daemon of the fleet."""

    files: Mapping[AssetName, Pin] = Field(default_factory=dict)
    """By logical name, the files that were downloaded."""
    versions: Mapping[EntryName, Channels] = Field(default_factory=dict)
    """By entry of the catalogue, the versions that were chosen."""

    def resolved(self, entry: str, version: str | None) -> str | None:
        """Return the version that ``version`` stands for; None while ``stable`` is not resolved."""
        if version != STABLE:
            return version
        channels = self.versions.get(entry)
        return channels.stable if channels else None
