"""Private keys in PEM with Talos' labels. Pure."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from iluvatar_pxe.layers import keys
from iluvatar_pxe.layers.keys import TALOS_ED25519, Labels, PrivateKey, Randomness, load_labelled_key

_LABELS: Labels = {
    TALOS_ED25519: (ed25519.Ed25519PrivateKey,),
    "EC PRIVATE KEY": (ec.EllipticCurvePrivateKey,),
    "RSA PRIVATE KEY": (rsa.RSAPrivateKey,),
}
"""Talos accepts no other one in a secrets bundle."""


def load_key(pem: str) -> PrivateKey:
    """Return the private key in a PEM text; raises BundleError, whose text begins with what is wrong."""
    return load_labelled_key(pem, _LABELS, "Talos")


def dump_key(key: PrivateKey) -> str:
    """Return a key as Talos writes it: PKCS #8 for Ed25519, SEC 1 for elliptic curves, PKCS #1 for RSA."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return text.replace("PRIVATE KEY", TALOS_ED25519)
    return keys.dump_key(key)


def ed25519_key(random: Randomness) -> ed25519.Ed25519PrivateKey:
    """Return a new Ed25519 key."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(random(32))
