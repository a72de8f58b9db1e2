"""A file that a machine gets. Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NodeFile:
    """A text file; its owner is root."""

    text: str = field(repr=False)
    mode: int = 0o600
    stays: bool = False
    """Whether a file that is there already counts instead."""
