"""One file to be downloaded: its addresses, how it is checked, and the assets that it gives."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from msgspec import Struct, field


class Digest(Struct, frozen=True):
    """A checksum that the catalogue, the fleet or a commit pins; ``value`` is lower-case hex.

    ``first_use``: it is that of the first download (``assets.lock.yaml``), and no publisher's.
    """

    algorithm: Literal["sha256", "sha512"]
    value: str
    first_use: bool = False


class SumsFile(Struct, frozen=True):
    """Checksums that the publisher lists in a file, lines of ``HEX  NAME`` (sha256sum(1)).

    ``name`` is the file's name in it. ``signatures`` are addresses of a detached OpenPGP signature of the list, and
    ``key`` the certificate in ``boot_assets/keys`` that it must be made with; both are empty where nobody signs it.
    """

    urls: tuple[str, ...]
    algorithm: Literal["sha256", "sha512"]
    name: str
    signatures: tuple[str, ...] = ()
    key: str = ""


class FirstUse(Struct, frozen=True):
    """The publisher lists no checksum: the one of the first download is pinned by a commit."""


Check = Digest | SumsFile | FirstUse
"""How a downloaded file is checked."""


def checked_by(check: Check) -> str:
    """Say in words how a file is checked."""
    match check:
        case Digest(algorithm, _, first_use):
            return f"{algorithm} pinned{' on first use' if first_use else ''}"
        case SumsFile():
            return f"{check.algorithm} of the publisher, {'signed' if check.signatures else 'not signed'}"
        case FirstUse():
            return "not pinned yet: pinned on first use"


class Unpack(StrEnum):
    """What is done with a file once it is verified."""

    NONE = "none"
    """It is an asset itself."""
    ARCHIVE = "archive"
    """A tar archive, or a Debian package: its ``members`` are assets."""
    PI_IMAGE = "pi-image"
    """A Raspberry Pi's disk image: the files of its first partition are assets, and its root file system is one."""


class Download(Struct, frozen=True, kw_only=True):
    """A file that is wanted. ``name`` is its logical name; ``urls`` are tried in this order, mirrors first.

    ``members`` are an archive's members and the logical names that they get. ``folder`` is the folder of the assets
    that an image's files are put into. ``builds``: the server may build the file for 20 minutes before the first byte.
    ``size`` is its bytes, where they are known before.
    ``withdrawn``: the publisher takes it away later, so what is here is removed only by name.
    ``wanted_by`` are the files of the fleet that want it, in words.
    """

    name: str
    version: str
    urls: tuple[str, ...]
    check: Check
    size: int | None = None
    unpack: Unpack = Unpack.NONE
    members: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    builds: bool = False
    withdrawn: bool = False
    wanted_by: tuple[str, ...] = ()

    @property
    def assets(self) -> tuple[str, ...]:
        """The logical names of the assets that it brings; one that ends with ``/`` is all of that folder."""
        if self.unpack is Unpack.NONE:
            return (self.name,)
        return tuple(self.members.values()) if self.unpack is Unpack.ARCHIVE else (f"{self.folder}/",)

    def gives(self, asset: str) -> bool:
        """Say whether this download brings an asset, by its logical name."""
        return any(asset == name or (name[-1] == "/" and asset.startswith(name)) for name in self.assets)
