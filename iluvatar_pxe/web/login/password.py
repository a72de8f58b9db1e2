"""What a password has to be, and its hash. These functions block: a hash takes a Raspberry Pi a quarter of a second."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from iluvatar_pxe.errors import LoginError, UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 200
"""Characters."""
_MEMORY, _PASSES, _LANES = 19 << 10, 2, 1
"""KiB, passes and lanes of argon2id (OWASP, Password Storage Cheat Sheet): two at once are as much as a small Pi can spare."""


def checked(password: str, again: str | None = None) -> str:
    """Return a password in the form in which it is hashed; raises UsageError for one that is no good.

    ``again`` is the same, where it was typed twice.
    """
    password = normal(password)
    if again is not None and normal(again) != password:
        raise UsageError("the two passwords differ; type the same twice")
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters; choose another")
    if not password.isprintable():
        raise UsageError("a password has no line breaks or control characters; choose another")
    return password


def normal(password: str) -> str:
    """Return what was typed in one form for all keyboards (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)


def hashed(password: str) -> str:
    """Return the argon2id hash of a password, with its parameters and salt."""
    return _hasher().hash(password)


def matches(stored: str, password: str) -> bool:
    """Say whether a password is the one that was hashed; raises LoginError for what is no hash."""
    from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError  # noqa: PLC0415 - as below

    try:
        return _hasher().verify(stored, password)
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError) as error:
        raise LoginError(
            "the hash of the password is damaged; set it again: sudo iluvatar-pxe web password"
        ) from error


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415 - a daemon that nobody logs in to does without

    return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY, parallelism=_LANES)
