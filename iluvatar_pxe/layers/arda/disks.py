"""The disk of a machine that Talos is installed on, as it is named in a configuration. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskChoice:
    """A disk that was read from the machine's hardware. ``serial`` and ``wwid`` name it; one of them may be empty."""

    serial: str = ""
    wwid: str = ""
    size: int
    """Bytes."""
    path: str
    """Where Talos had it when it was read, such as ``/dev/nvme0n1``; this may change at any boot."""
    model: str = ""

    @property
    def is_named(self) -> bool:
        """Say whether it can be told from any other disk."""
        return bool(self.serial or self.wwid)
