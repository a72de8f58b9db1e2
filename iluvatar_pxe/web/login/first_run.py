"""The token by which whoever reads the console sets the first password."""

import hashlib
import hmac
import secrets

_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without those that look like others: it is typed on a phone."""
_GROUPS, _EACH = 4, 4
"""80 random bits."""


class FirstRun:
    """Keeps the hash of a token that is shown once, until it was used or the daemon ends."""

    def __init__(self) -> None:
        self._sha256 = ""

    @property
    def is_open(self) -> bool:
        """Whether there is a token."""
        return bool(self._sha256)

    def open(self) -> str:
        """Make a token and return it: nobody can tell it again, and an earlier one is none any more."""
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(_EACH)) for _ in range(_GROUPS))
        token = "-".join(groups)
        self._sha256 = _hash(token)
        return token

    def is_token(self, given: str) -> bool:
        """Say whether that is the token, however it is written."""
        return self.is_open and hmac.compare_digest(self._sha256, _hash(given))

    def close(self) -> None:
        """Have no token any more."""
        self._sha256 = ""


def _hash(token: str) -> str:
    plain = "".join(char for char in token.upper() if char.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()
