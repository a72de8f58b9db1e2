"""Which versions of Kubernetes each supported release of Talos runs. Pure.

By siderolabs/talos, ``pkg/machinery/compatibility``, v1.13.9 and v1.14.1.
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class Range(Struct, frozen=True, kw_only=True):
    """Kubernetes 1.``first`` to 1.``last``; ``default`` is a whole version."""

    first: int
    last: int
    default: str

    def has(self, version: str) -> bool:
        """Say whether a version such as ``v1.36.3`` is in it."""
        major, minor, _ = version.removeprefix("v").split(".", 2)
        return major == "1" and self.first <= int(minor) <= self.last

    def __str__(self) -> str:
        return f"1.{self.first} to 1.{self.last}"


RANGES: Mapping[tuple[int, int], Range] = MappingProxyType(
    {
        (1, 13): Range(first=31, last=36, default="v1.36.3"),
        (1, 14): Range(first=32, last=37, default="v1.37.0"),
    }
)
"""By Talos' major and minor version. The default is what ``talosctl`` of that release would choose."""
