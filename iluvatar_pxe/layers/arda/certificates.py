"""Signs certificates with the fields that Talos gives them. Pure: time and randomness are given."""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from iluvatar_pxe.layers import certificates
from iluvatar_pxe.layers.arda.keys import dump_key, load_key
from iluvatar_pxe.layers.certificates import (
    Client,
    Issuer,
    Validity,
    certificate_builder,
    key_usage,
    name_of,
    signed,
)
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import PrivateKey, Randomness, load_certificate

_USES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def new_authority(key: PrivateKey, organization: str, validity: Validity, random: Randomness) -> KeyPair:
    """Return a CA as Talos makes one (siderolabs/crypto, x509); without an ``organization`` its subject is empty."""
    name = name_of([organization] if organization else [])
    builder = (
        certificate_builder(name, name, validity, random)
        .public_key(key.public_key())
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_USES), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(random(20)), critical=False)
    )
    return KeyPair(crt=signed(builder, key), key=dump_key(key))


def client_certificate(
    authority: KeyPair, key: PrivateKey, client: Client, validity: Validity, random: Randomness
) -> KeyPair:
    """Return a client's key, and its certificate, which ends no later than that of its CA.

    Raises BundleError where the CA has ended.
    """
    issuer = Issuer(load_certificate(authority.crt), load_key(authority.key), "talosctl")
    crt = certificates.client_certificate(issuer, key, client, validity, random)
    return KeyPair(crt=crt, key=dump_key(key))
