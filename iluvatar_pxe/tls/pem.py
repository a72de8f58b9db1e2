"""Certificates and keys in PEM files (RFC 7468), read with a one-line error for every fault. These functions block."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iluvatar_pxe.errors import TlsError


def read_certificates(path: Path, remedy: str) -> list[x509.Certificate]:
    """Return the certificates in a file, at least one; raises TlsError, which ends with ``remedy``."""
    try:
        found = x509.load_pem_x509_certificates(_read(path, remedy))
        found[0].public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsError(f"{path}: holds no certificate in PEM; {remedy}") from error
    return found


def read_key(path: Path, certificate: x509.Certificate, remedy: str) -> PrivateKeyTypes:
    """Return the private key of a certificate; raises TlsError, which ends with ``remedy``."""
    try:
        key = serialization.load_pem_private_key(_read(path, remedy), None)
    except TypeError as error:
        raise TlsError(f"{path}: the key is encrypted, and no passphrase can be entered; {remedy}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsError(f"{path}: holds no private key in PEM; {remedy}") from error
    if key.public_key() != certificate.public_key():
        raise TlsError(f"{path}: is not the key of the certificate; {remedy}")
    return key


def write_key(key: PrivateKeyTypes) -> bytes:
    """Return a key as PEM (PKCS #8), not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 fingerprint as people compare it, ``AA:BB:…``."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _read(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"{path}: cannot be read: {error.strerror}; {remedy}") from error
