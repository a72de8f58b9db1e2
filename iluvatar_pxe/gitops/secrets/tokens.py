"""Tokens for the repositories hosted here: named, revocable, and kept as hashes only."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from iluvatar_pxe.errors import RepositoryError, UsageError
from iluvatar_pxe.host.durable import write_file
from iluvatar_pxe.host.exclusive import exclusive
from iluvatar_pxe.host.owner import make_directory

_NAME = re.compile(r"[a-z0-9-]{1,63}")
OWN = "/"
"""Is in the names of the daemon's own tokens, and in no person's."""
_OCTETS = 32
_PREFIX = "ilu_"
"""Prefix that identifies a leaked token and its origin."""


class Right(StrEnum):
    """Rights of a token; write includes read."""

    READ = "read"
    WRITE = "write"


class Token(BaseModel):
    """The stored data of a token, without its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{_NAME.pattern}({OWN}{_NAME.pattern})?$")
    right: Right
    created: datetime
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[Token, ...] = ()


class Tokens:
    """The tokens in the file ``tokens.json`` of a directory. Methods block, and raise RepositoryError.

    Every call reads the file, so that a daemon knows at once what a command has changed. One that cannot be
    understood is never overwritten: no token is valid until it is repaired.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / "tokens.json"

    def all(self) -> tuple[Token, ...]:
        """Return all tokens, in the order in which they were made."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise RepositoryError(
                f"{self._path}: cannot be read: {error.strerror}; correct its permissions"
            ) from error
        try:
            return _Document.model_validate_json(text).tokens
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
            remedy = "restore it from a backup, or remove it and create new tokens"
            raise RepositoryError(f"{self._path}: is damaged: {fault}; {remedy}") from error

    def add(self, name: str, right: Right) -> str:
        """Make a token and return it: nobody can tell it again; raises UsageError for what is no name."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is not a token name; use up to 63 of a-z, 0-9 and '-'")
        secret = token_of(secrets.token_bytes(_OCTETS))
        now = datetime.now(UTC).replace(microsecond=0)
        with self._changing() as known:
            if any(token.name == name for token in known):
                raise RepositoryError(f"token {name} already exists; revoke it, or use another name")
            self._write(*known, Token(name=name, right=right, created=now, sha256=_hash(secret)))
        return secret

    def keep_own(self, given: Mapping[str, str | None]) -> None:
        """Have these tokens of the daemon's own, which read, and no others; one that is given as None stays as it is."""
        with self._changing() as known:
            before = {token.name: token for token in known if OWN in token.name}
            after = {name: _own(name, secret, before.get(name)) for name, secret in given.items()}
            kept = {name: token for name, token in after.items() if token}
            if kept != before:
                self._write(*(token for token in known if OWN not in token.name), *kept.values())

    def revoke(self, name: str) -> None:
        """Make a token worth nothing."""
        with self._changing() as known:
            left = [token for token in known if token.name != name]
            if len(left) == len(known):
                names = ", ".join(token.name for token in known) or "none"
                raise RepositoryError(f"no token {name!r}; existing tokens: {names}")
            self._write(*left)

    def holder(self, secret: str) -> Token | None:
        """Return the token that ``secret`` is. How long that takes does not depend on which one, or how nearly."""
        given = _hash(secret)
        found = None
        for token in self.all():
            if hmac.compare_digest(token.sha256, given):
                found = token
        return found

    def _write(self, *tokens: Token) -> None:
        text = _Document(tokens=tokens).model_dump_json(indent=2) + "\n"
        write_file(self._path, text.encode())

    @contextmanager
    def _changing(self) -> Iterator[tuple[Token, ...]]:
        """Yield all tokens, which nobody else changes meanwhile."""
        try:
            self._directory.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            make_directory(self._directory)
            with exclusive(self._directory / "tokens.lock"):
                yield self.all()
        except OSError as error:
            where = error.filename or self._path
            remedy = "correct its permissions, or try it with sudo"
            raise RepositoryError(f"{where}: cannot be written: {error.strerror}; {remedy}") from error


def token_of(octets: bytes) -> str:
    """Return the token that is made of random octets."""
    return _PREFIX + base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _own(name: str, secret: str | None, before: Token | None) -> Token | None:
    if secret is None or (before and before.sha256 == _hash(secret)):
        return before
    now = datetime.now(UTC).replace(microsecond=0)
    return Token(name=name, right=Right.READ, created=now, sha256=_hash(secret))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
