"""What a download leaves behind: how much it was, its digest, and the beginning of it."""

import hashlib

KEPT = 64 * 1024
"""Bytes kept of a file: enough for scripts and configurations; kernels are counted and thrown away."""


class Content:
    """A file that is taken in piece by piece."""

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self._digest = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        self.size += len(piece)
        self.head += piece[: KEPT - len(self.head)]
        self._digest.update(piece)

    @property
    def sha256(self) -> str:
        """The digest of all of it, in hex."""
        return self._digest.hexdigest()

    @property
    def text(self) -> str:
        """The beginning, as text; what is no UTF-8 is replaced."""
        return self.head.decode(errors="replace")
