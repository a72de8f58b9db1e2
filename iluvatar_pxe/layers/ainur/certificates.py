"""Signs the CAs of a k3s cluster with the fields that k3s' own script for them gives them. Pure."""

from datetime import datetime

from cryptography import x509

from iluvatar_pxe.layers.ainur.keys import load_key
from iluvatar_pxe.layers.certificates import (
    Validity,
    certificate_builder,
    identifier_of,
    key_usage,
    name_of,
    signed,
)
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import PrivateKey, Randomness, dump_key, load_certificate, p256_key


def new_root(kind: str, validity: Validity, random: Randomness) -> KeyPair:
    """Return a CA that is its own root; ``kind`` is a part of its name."""
    key, name = p256_key(random), _name(kind, validity.begin)
    return KeyPair(crt=signed(_builder(name, name, key, validity, random), key), key=dump_key(key))


def new_authority(kind: str, root: KeyPair, validity: Validity, random: Randomness) -> KeyPair:
    """Return one of the CAs below a root, its certificate followed by the root's; ``kind`` is a part of its name."""
    key, issuer = p256_key(random), load_certificate(root.crt)
    builder = _builder(_name(kind, validity.begin), issuer.subject, key, validity, random).add_extension(
        identifier_of(issuer), critical=False
    )
    return KeyPair(crt=signed(builder, load_key(root.key)) + root.crt, key=dump_key(key))


def _name(kind: str, moment: datetime) -> x509.Name:
    return name_of([], f"k3s-{kind}-ca@{int(moment.timestamp())}")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, validity: Validity, random: Randomness
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        certificate_builder(subject, issuer, validity, random)
        .public_key(public)
        .add_extension(key_usage(signs_certificates=True, key_encipherment=True), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
