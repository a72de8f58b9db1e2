"""The password of the web page and who is logged in, in one file: so a new password ends every session."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from iluvatar_pxe.errors import LoginError
from iluvatar_pxe.host.durable import write_file
from iluvatar_pxe.host.exclusive import exclusive
from iluvatar_pxe.host.owner import make_directory
from iluvatar_pxe.web.login.password import hashed, matches

LIFETIME = timedelta(days=7)
"""Of a session, from when somebody logged in."""
MOST_SESSIONS = 32
"""The oldest one ends when there are more."""
_OCTETS = 32
_REMEDY = "set the password again: sudo iluvatar-pxe web password"


class Session(BaseModel):
    """A browser that is logged in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of its secret, which only the browser has."""
    since: AwareDatetime


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    password: str = Field(pattern=r"^\$argon2id\$")
    sessions: tuple[Session, ...] = ()


def utc_now() -> datetime:
    """Return the time by this host's clock."""
    return datetime.now(UTC)


class Logins:
    """The file ``login.json`` of a directory. Methods block, and raise LoginError.

    Every call reads the file, so that a daemon knows at once what a command has changed.
    """

    def __init__(self, directory: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._directory = directory
        self._path = directory / "login.json"
        self._now = now

    @property
    def has_password(self) -> bool:
        """Whether a password is set."""
        return self._read() is not None

    def set_password(self, password: str, *, only_first: bool = False) -> bool:
        """Store the hash of a password and end all sessions; say whether that was done.

        ``only_first``: not where there is a password already, or a file that cannot be understood.
        """
        document = _Document(password=hashed(password))
        with self._changing():
            if only_first and self._read() is not None:
                return False
            self._write(document)
            return True

    def log_in(self, password: str) -> str | None:
        """Return the secret of a new session; None for a wrong password, or where none is set."""
        document = self._read()
        if document is None or not matches(document.password, password):
            return None
        secret = secrets.token_urlsafe(_OCTETS)
        with self._changing():
            current = self._read()
            if current is None or current.password != document.password:
                return None  # it was changed meanwhile
            session = Session(sha256=_hash(secret), since=self._now())
            kept = (*self._live(current), session)[-MOST_SESSIONS:]
            self._write(current.model_copy(update={"sessions": kept}))
        return secret

    def knows(self, secret: str) -> bool:
        """Say whether that is the secret of a session. How long that takes does not depend on which one, or how nearly."""
        document, given = self._read(), _hash(secret)
        found = [hmac.compare_digest(one.sha256, given) for one in self._live(document)] if document else []
        return any(found)

    def log_out(self, secret: str) -> None:
        """End a session, if it is one."""
        if not self.knows(secret):
            return
        with self._changing():
            if document := self._read():
                given = _hash(secret)
                left = tuple(one for one in self._live(document) if one.sha256 != given)
                self._write(document.model_copy(update={"sessions": left}))

    def _live(self, document: _Document) -> tuple[Session, ...]:
        now = self._now()
        return tuple(one for one in document.sessions if now < one.since + LIFETIME)

    def _read(self) -> _Document | None:
        try:
            return _Document.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LoginError(
                f"{self._path}: cannot be read: {error.strerror}; correct its permissions"
            ) from error
        except ValidationError as error:
            raise LoginError(f"{self._path}: is damaged; {_REMEDY}") from error

    def _write(self, document: _Document) -> None:
        write_file(self._path, (document.model_dump_json(indent=2) + "\n").encode())

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Have nobody else change the file meanwhile."""
        try:
            make_directory(self._directory)
            with exclusive(self._directory / "login.lock"):
                yield
        except OSError as error:
            where = error.filename or self._path
            remedy = "correct its permissions, or try it with sudo"
            raise LoginError(f"{where}: cannot be written: {error.strerror}; {remedy}") from error


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
