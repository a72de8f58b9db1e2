"""Private keys and certificates in PEM, and keys from given randomness. Pure."""

import re
from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iluvatar_pxe.errors import BundleError

Randomness = Callable[[int], bytes]
"""Returns so many random bytes, as ``secrets.token_bytes`` does; the same ones make the same keys."""
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What ``cryptography`` raises for a certificate or a key that it cannot read."""
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Labels = Mapping[str, tuple[type[PrivateKey], ...]]
"""The labels that a program knows, and which keys each may have."""

TALOS_ED25519 = "ED25519 PRIVATE KEY"
"""Talos' label of a PKCS #8 key, which no other program knows."""
_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_ONE_BLOCK = re.compile(r"\s*-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*")
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""NIST SP 800-186, 3.2.1.3: private keys are below it."""


def load_labelled_key(pem: str, labels: Labels, program: str) -> PrivateKey:
    """Return the private key in a PEM text; raises BundleError, whose text begins with what is wrong.

    ``program`` is whose ``labels`` these are, as people call it.
    """
    found = _LABEL.search(pem)
    label = found[1] if found else ""
    if label not in labels:
        raise BundleError(f"is no private key with a label of {program} ({', '.join(labels)})")
    try:
        key = serialization.load_pem_private_key(standard_pem(pem).encode(), None)
    except UNREADABLE as error:
        raise BundleError("is a damaged private key") from error
    if not _ONE_BLOCK.fullmatch(pem):
        raise BundleError("holds more than a private key")
    if not isinstance(key, PrivateKey) or not isinstance(key, labels[label]):
        raise BundleError(f"is labelled {label}, and is another kind of key")
    return key


def load_certificate(pem: str) -> x509.Certificate:
    """Return the only certificate in a PEM text; raises BundleError, whose text begins with what is wrong."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        certificate.public_key()
    except UNREADABLE as error:
        raise BundleError("is a damaged certificate") from error
    if not _ONE_BLOCK.fullmatch(pem):
        raise BundleError("holds more than a certificate")
    return certificate


def standard_pem(key: str) -> str:
    """Return a key, which may be Talos', with the label that other programs know (``ssl`` and OpenSSL among them)."""
    return key.replace(TALOS_ED25519, "PRIVATE KEY")


def dump_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """Return a key in SEC 1 for elliptic curves, in PKCS #1 for RSA."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def dump_certificate(certificate: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def p256_key(random: Randomness) -> ec.EllipticCurvePrivateKey:
    """Return a new key on the curve P-256."""
    number = 0
    while not 0 < number < _P256_ORDER:
        number = int.from_bytes(random(32))
    return ec.derive_private_key(number, ec.SECP256R1())
