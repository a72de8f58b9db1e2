"""Tokens, and the hash of the cluster's CA in them (k3s, pkg/clientaccess/token.go)."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from support.k3s.fatal import FatalError

PREFIX = "K10"
_HASH_LENGTH = 64


@dataclass(frozen=True)
class Token:
    ca_hash: str
    user: str
    password: str

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Return the parts of a token; raises FatalError with the words of k3s."""
        if not text:
            raise FatalError("token must not be empty")
        if not text.startswith(PREFIX):
            return cls("", "", text)
        ca_hash, separator, credentials = text.removeprefix(PREFIX).partition("::")
        if not separator:
            ca_hash, credentials = "", ca_hash
        if len(ca_hash) not in {0, _HASH_LENGTH}:
            raise FatalError("invalid token CA hash length")
        user, _, password = credentials.partition(":")
        if not password:
            raise FatalError("invalid token format")
        return cls(ca_hash, user, password)


def hash_of(cacerts: bytes) -> str:
    """Return what a token holds about the certificates that ``/cacerts`` answers with."""
    certificates = x509.load_pem_x509_certificates(cacerts)
    root = _root(certificates) if len(certificates) > 1 else None
    return hashlib.sha256(root.public_bytes(Encoding.DER) if root else cacerts).hexdigest()


def _root(certificates: list[x509.Certificate]) -> x509.Certificate | None:
    """Return the root that the first certificate chains to as Go verifies it for a server, or None."""
    current, others = certificates[0], certificates[1:]
    for depth in range(len(others)):
        issuer = next((one for one in others if one != current and _issued(one, current, depth)), None)
        if issuer is None or not _is_valid(current):
            return None
        if _is_root(issuer):
            return issuer
        current = issuer
    return None


def _issued(issuer: x509.Certificate, certificate: x509.Certificate, depth: int) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    is_long_enough = constraints.path_length is None or constraints.path_length >= depth
    return constraints.ca and is_long_enough and _is_valid(issuer) and _is_for_servers(issuer)


def _is_valid(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc


def _is_for_servers(certificate: x509.Certificate) -> bool:
    try:
        usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return True
    return bool({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usages))


def _is_root(certificate: x509.Certificate) -> bool:
    """Say whether Go's k3s takes it for a root: it names no other key as that of its issuer."""
    try:
        authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return True
    if not authority.key_identifier:
        return True
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return False
    return own.digest == authority.key_identifier
