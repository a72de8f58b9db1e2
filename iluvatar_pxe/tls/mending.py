"""Mends the daemon's own CA where a loss of power has damaged its files. These functions block.

A certificate is made again of its key: clients that trust the old one go on, because name and key are the same. A key
cannot be made again, so that a CA without one is moved aside, and a new one is made, which clients have to trust anew.
What is not damaged and cannot be used all the same (unreadable, encrypted, of another CA) is left alone.
"""

from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.host.durable import move_aside, write_file
from iluvatar_pxe.tls.authority import CERTIFICATE, KEY, make_authority

_log = structlog.get_logger()


def mend_authority(directory: Path, host: str, domain: str, now: datetime) -> None:
    """Leave a CA that can be used, or none, in ``directory``, if it was damaged; raises TlsError."""
    try:
        certificate, key = _content(directory / CERTIFICATE), _content(directory / KEY)
        if certificate is None and key is None:
            return
        if _is_damaged_key(key or b""):
            aside = move_aside(directory)
            _log.error("tls.lost", kept=str(aside), why="the key of the CA was damaged", now=_ANEW)
        elif _is_damaged_certificate(certificate or b""):
            _renew(directory, key or b"", host, domain, now)
    except OSError as error:
        where = error.filename or directory
        raise TlsError(
            f"{where}: cannot be read or mended: {error.strerror}; correct its permissions"
        ) from error


def has_authority(directory: Path) -> bool:
    """Say whether there is a CA that needs no mending, or that cannot be read at all."""
    try:
        certificate, key = _content(directory / CERTIFICATE), _content(directory / KEY)
    except OSError:
        return True
    if certificate is None or key is None:
        return False
    return not (_is_damaged_key(key) or _is_damaged_certificate(certificate))


_ANEW = "a new CA is used, which every client has to trust again; or restore that directory from a backup"


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _is_damaged_key(pem: bytes) -> bool:
    try:
        load_pem_private_key(pem, None)
    except ValueError:
        return True
    except TypeError:  # encrypted
        return False
    return False


def _is_damaged_certificate(pem: bytes) -> bool:
    try:
        return not x509.load_pem_x509_certificates(pem)
    except ValueError:
        return True


def _renew(directory: Path, pem: bytes, host: str, domain: str, now: datetime) -> None:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return
    authority = make_authority(host, domain, now, key)
    file = directory / CERTIFICATE
    if file.exists():
        move_aside(file)
    write_file(file, authority.document, 0o644)
    _log.warning("tls.mended", file=str(file), fingerprint=authority.fingerprint)
