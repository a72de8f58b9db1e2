"""Builds and signs certificates with the fields that a layer's programs give them. Pure: time and randomness are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.keys import PrivateKey, Randomness, dump_certificate


class Validity(Struct, frozen=True):
    """From when until when a certificate is valid."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Issuer:
    """The CA that signs a certificate."""

    certificate: x509.Certificate
    key: PrivateKey
    tool: str
    """The command by which people give the cluster a new CA."""


class Client(Struct, frozen=True):
    """Who a client is, to the API that reads its certificate."""

    organizations: Sequence[str]
    common_name: str = ""
    encipherment: bool = False
    """Whether the key may encipher keys, which certificates of Kubernetes say of theirs."""


def client_certificate(
    issuer: Issuer, key: PrivateKey, client: Client, validity: Validity, random: Randomness
) -> str:
    """Return a client's certificate in PEM, which ends no later than that of its CA.

    Raises BundleError where the CA has ended.
    """
    authority = issuer.certificate
    if authority.not_valid_after_utc <= validity.begin:
        raise BundleError(
            f"the cluster's CA ended at {authority.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; set the clock if it is "
            f"wrong; else give the cluster a new CA with {issuer.tool}"
        )
    validity = Validity(validity.begin, min(validity.end, authority.not_valid_after_utc))
    subject = name_of(client.organizations, client.common_name)
    builder = (
        certificate_builder(subject, authority.subject, validity, random)
        .public_key(key.public_key())
        .add_extension(key_usage(key_encipherment=client.encipherment), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(identifier_of(authority), critical=False)
    )
    return signed(builder, issuer.key)


def certificate_builder(
    subject: x509.Name, issuer: x509.Name, validity: Validity, random: Randomness
) -> x509.CertificateBuilder:
    """Return what every certificate has, with a random serial number."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(int.from_bytes(random(16)) or 1)
        .not_valid_before(validity.begin)
        .not_valid_after(validity.end)
    )


def identifier_of(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return what names the CA in the certificates that it signs."""
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def name_of(organizations: Sequence[str], common_name: str = "") -> x509.Name:
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


def key_usage(*, signs_certificates: bool = False, key_encipherment: bool = False) -> x509.KeyUsage:
    """Return what a key may be used for, beside digital signatures."""
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


def signed(builder: x509.CertificateBuilder, key: PrivateKey) -> str:
    """Sign without randomness of its own: what is given makes the same certificate again (RFC 6979)."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return dump_certificate(builder.sign(key, None))
    deterministic = None if isinstance(key, rsa.RSAPrivateKey) else True
    return dump_certificate(builder.sign(key, hashes.SHA256(), ecdsa_deterministic=deterministic))
