"""Signs certificates with the fields that Talos gives them. Pure: time and randomness are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.arda.bundle import KeyPair
from iluvatar_pxe.layers.arda.keys import (
    PrivateKey,
    Randomness,
    dump_certificate,
    dump_key,
    load_certificate,
    load_key,
)

_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate is valid."""

    begin: datetime
    end: datetime


def new_authority(key: PrivateKey, organization: str, validity: Validity, random: Randomness) -> KeyPair:
    """Return a CA as Talos makes one (siderolabs/crypto, x509); without an ``organization`` its subject is empty."""
    name = _name([organization] if organization else [])
    builder = (
        _builder(name, name, validity, random)
        .public_key(key.public_key())
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_SERVER, _CLIENT]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(random(20)), critical=False)
    )
    return KeyPair(crt=_signed(builder, key), key=dump_key(key))


def client_certificate(
    authority: KeyPair,
    key: PrivateKey,
    organizations: Sequence[str],
    validity: Validity,
    random: Randomness,
    *,
    common_name: str = "",
    encipherment: bool = False,
) -> KeyPair:
    """Return a client's key, and its certificate, which ends no later than that of its CA.

    Raises BundleError where the CA has ended.
    """
    issuer = load_certificate(authority.crt)
    if issuer.not_valid_after_utc <= validity.begin:
        raise BundleError(
            f"the cluster's CA ended at {issuer.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; set the clock if it is wrong; "
            "else give the cluster a new CA with talosctl"
        )
    validity = Validity(validity.begin, min(validity.end, issuer.not_valid_after_utc))
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(_name(organizations, common_name), issuer.subject, validity, random)
        .public_key(key.public_key())
        .add_extension(_usage(key_encipherment=encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_CLIENT]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    )
    return KeyPair(crt=_signed(builder, load_key(authority.key)), key=dump_key(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, validity: Validity, random: Randomness
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(int.from_bytes(random(16)) or 1)
        .not_valid_before(validity.begin)
        .not_valid_after(validity.end)
    )


def _name(organizations: Sequence[str], common_name: str = "") -> x509.Name:
    """Return a name whose organizations are one multi-valued part, as Go writes it."""
    parts = {
        NameOID.ORGANIZATION_NAME: organizations,
        NameOID.COMMON_NAME: [common_name] if common_name else [],
    }
    return x509.Name(
        x509.RelativeDistinguishedName(x509.NameAttribute(oid, value) for value in values)
        for oid, values in parts.items()
        if values
    )


def _usage(*, signs_certificates: bool = False, key_encipherment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        key_encipherment=key_encipherment,
        crl_sign=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: PrivateKey) -> str:
    """Sign without randomness of its own: what is given makes the same certificate again (RFC 6979)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return dump_certificate(builder.sign(key, None))
    deterministic = None if isinstance(key, rsa.RSAPrivateKey) else True
    return dump_certificate(builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic))
