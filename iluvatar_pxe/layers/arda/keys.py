"""Private keys and certificates in PEM with Talos' labels, and keys from given randomness. Pure."""

import re
from collections.abc import Callable

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

_ED25519 = "ED25519 PRIVATE KEY"
"""Talos' label of a PKCS #8 key, which no other program knows."""
_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_ONE_BLOCK = re.compile(r"\s*-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*")
_KINDS: dict[str, type] = {
    _ED25519: ed25519.Ed25519PrivateKey,
    "EC PRIVATE KEY": ec.EllipticCurvePrivateKey,
    "RSA PRIVATE KEY": rsa.RSAPrivateKey,
}
"""By label. Talos accepts no other one in a secrets bundle."""
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""NIST SP 800-186, 3.2.1.3: private keys are below it."""


def load_key(pem: str) -> PrivateKey:
    """Return the private key in a PEM text; raises BundleError, whose text begins with what is wrong."""
    found = _LABEL.search(pem)
    label = found[1] if found else ""
    if label not in _KINDS:
        raise BundleError(f"is no private key with a label of Talos ({', '.join(_KINDS)})")
    try:
        key = serialization.load_pem_private_key(standard_pem(pem).encode(), None)
    except UNREADABLE as error:
        raise BundleError("is a damaged private key") from error
    if not _ONE_BLOCK.fullmatch(pem):
        raise BundleError("holds more than a private key")
    if not isinstance(key, PrivateKey) or not isinstance(key, _KINDS[label]):
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


def dump_key(key: PrivateKey) -> str:
    """Return a key as Talos writes it: PKCS #8 for Ed25519, SEC 1 for elliptic curves, PKCS #1 for RSA."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return text.replace("PRIVATE KEY", _ED25519)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def dump_certificate(certificate: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def standard_pem(key: str) -> str:
    """Return a key of Talos with the label that other programs know (``ssl`` and OpenSSL among them)."""
    return key.replace(_ED25519, "PRIVATE KEY")


def ed25519_key(random: Randomness) -> ed25519.Ed25519PrivateKey:
    """Return a new Ed25519 key."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(random(32))


def p256_key(random: Randomness) -> ec.EllipticCurvePrivateKey:
    """Return a new key on the curve P-256."""
    number = 0
    while not 0 < number < _P256_ORDER:
        number = int.from_bytes(random(32))
    return ec.derive_private_key(number, ec.SECP256R1())
