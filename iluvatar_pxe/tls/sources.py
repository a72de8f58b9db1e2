"""Sources of the TLS port's certificate: the daemon's CA, or files named in ``[http]``. These functions block."""

import ssl
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.settings.model import HttpSettings
from iluvatar_pxe.tls.authority import Authority, make_authority, open_authority
from iluvatar_pxe.tls.credential import Credential, issue, server_context
from iluvatar_pxe.tls.mending import mend_authority
from iluvatar_pxe.tls.names import Names
from iluvatar_pxe.tls.pem import read_certificates, read_key, write_key


class Source(Protocol):
    """Loads or signs the certificate, and says when to do so again."""

    @property
    def authority(self) -> Authority | None:
        """The own CA, or None where a certificate is given."""

    def is_good(self, shown: Credential, names: Names, now: datetime) -> bool:
        """Say whether ``shown`` may go on; raises TlsError."""

    def make(self, names: Names, now: datetime) -> Credential:
        """Return what is to be shown from now on; raises TlsError."""

    def trouble_with(self, names: Names) -> str | None:
        """Say for which names it cannot vouch, in one line, or return None."""


class OwnSource(Struct, frozen=True):
    """Signs a certificate whenever the last one ends soon, is not valid now, or lacks a name."""

    authority: Authority

    def is_good(self, shown: Credential, names: Names, now: datetime) -> bool:
        """See Source."""
        return shown.is_good(self._permitted(names), now)

    def make(self, names: Names, now: datetime) -> Credential:
        """See Source."""
        return issue(self.authority, self._permitted(names), now)

    def trouble_with(self, names: Names) -> str | None:
        """See Source. A host's name without a domain is left out without a word: the host may have been renamed."""
        refused = [str(name.value) for name in names if not self.authority.permits(name)]
        refused = [name for name in refused if "." in name]
        if not refused:
            return None
        return (
            f"{', '.join(refused)}: not in the certificate, because this CA was made for another domain or private "
            "addresses; to make a new one, which clients have to trust again, move tls/ out of the state directory"
        )

    def _permitted(self, names: Names) -> Names:
        return tuple(name for name in names if self.authority.permits(name))


class GivenSource(Struct, frozen=True):
    """Reads a certificate, its chain and its key, and again when the files have changed.

    Which names are in it, and for how long it is valid, is its owner's business.
    """

    certificate: Path
    key: Path

    @property
    def authority(self) -> None:
        """There is none that is known here."""

    def is_good(self, shown: Credential, _names: Names, _now: datetime) -> bool:
        """See Source."""
        return shown.mark == self._mark()

    def make(self, _names: Names, _now: datetime) -> Credential:
        """See Source."""
        mark = self._mark()  # before the files are read, so that no change is missed
        wanted = "a readable PEM file without a passphrase"
        chain = read_certificates(self.certificate, f"give [http] tls_certificate {wanted}")
        key = read_key(self.key, chain[0], f"give [http] tls_key {wanted}, of tls_certificate")
        pem = b"".join(one.public_bytes(Encoding.PEM) for one in chain) + write_key(key)
        try:
            return Credential(chain[0], chain[0], server_context(pem), mark)
        except OSError as error:
            reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            text = (
                f"{self.certificate}: cannot be used for TLS: {reason}; give [http] tls_certificate another"
            )
            raise TlsError(text) from error

    def trouble_with(self, _names: Names) -> None:
        """There is nothing that is known here."""

    def _mark(self) -> object:
        """Return what changes when a file does."""
        marks = []
        for path in (self.certificate, self.key):
            try:
                status = path.stat()
            except OSError as error:
                text = f"{path}: cannot be read: {error.strerror}; correct [http] tls_certificate and tls_key"
                raise TlsError(text) from error
            marks.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return marks


class StandIn(Struct, frozen=True):
    """Signs by a CA that nobody trusts, and that is not handed out: what answers is this daemon, and says why."""

    signer: Authority

    @classmethod
    def make_one(cls, host: str, domain: str, now: datetime) -> "StandIn":
        """Return one, whose CA is in memory alone."""
        return cls(make_authority(host, domain, now))

    @property
    def authority(self) -> None:
        """There is none to trust."""

    def is_good(self, shown: Credential, names: Names, now: datetime) -> bool:
        """See Source."""
        return shown.is_good(names, now)

    def make(self, names: Names, now: datetime) -> Credential:
        """See Source."""
        return issue(self.signer, names, now)

    def trouble_with(self, _names: Names) -> None:
        """Nobody trusts it anyway."""


def open_source(settings: HttpSettings, directory: Path, host: str, domain: str, now: datetime) -> Source:
    """Return where the certificate comes from; the own CA is kept in ``directory``. Raises TlsError."""
    if settings.tls_certificate and settings.tls_key:
        return GivenSource(settings.tls_certificate, settings.tls_key)
    mend_authority(directory, host, domain, now)
    return OwnSource(open_authority(directory, host, domain, now))
