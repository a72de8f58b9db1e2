"""Certificates as a Talos machine makes them itself: of its API, of maintenance, and of its etcd."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from grpclib.protocol import Peer
from support.talos.configuration import Pair, UnusableError

MAINTENANCE_NAME = "maintenance-service.talos.dev"
API_LIFETIME = timedelta(hours=24)
Key = Ed25519PrivateKey | EllipticCurvePrivateKey


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: Key

    @classmethod
    def of(cls, pair: Pair) -> "Authority":
        """Return the CA of a configuration; raises UnusableError."""
        pem = pair.key.replace(b"ED25519 PRIVATE KEY", b"PRIVATE KEY")
        try:
            certificate, key = x509.load_pem_x509_certificate(pair.crt), load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise UnusableError(f"failed to parse PEM block: {error}") from error
        if not isinstance(key, Key) or key.public_key() != certificate.public_key():
            raise UnusableError("the key is not the certificate's")
        return cls(certificate, key)

    @classmethod
    def made(cls, now: datetime) -> "Authority":
        """Return a CA of the machine's own, as maintenance has one for each boot."""
        key = Ed25519PrivateKey.generate()
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "talos")])
        builder = _builder(name, name, key, now, timedelta(days=3650))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        return cls(builder.sign(key, None), key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def leaf(self, name: str, sans: Iterable[str], now: datetime, *, client: bool = False) -> Pair:
        """Return a certificate for a server, which etcd's is for its client side as well."""
        is_ed25519 = isinstance(self.key, Ed25519PrivateKey)
        key: Key = Ed25519PrivateKey.generate() if is_ed25519 else generate_private_key(SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            _builder(subject, self.certificate.subject, key, now, API_LIFETIME)
            .add_extension(
                x509.SubjectAlternativeName([_general(san) for san in sorted({*sans})]), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        )
        signed = builder.sign(self.key, None if is_ed25519 else hashes.SHA256())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Pair(signed.public_bytes(Encoding.PEM), pem)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lifetime)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def server_context(leaf: Pair, clients: Iterable[bytes]) -> ssl.SSLContext:
    """Return TLS for the API: clients of these CAs and no others; without a CA of anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    with TemporaryDirectory() as directory:
        crt, key = Path(directory) / "crt", Path(directory) / "key"
        crt.write_bytes(leaf.crt)
        key.write_bytes(leaf.key)
        context.load_cert_chain(crt, key)
    if authorities := b"".join(clients):
        context.load_verify_locations(cadata=authorities.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@dataclass(frozen=True)
class Client:
    """Who a client is, by its certificate."""

    roles: frozenset[str]
    is_usable: bool
    """Talos takes a certificate whose extended key usage is for clients, and for nothing else."""


def caller(peer: Peer) -> Client:
    """Return who connected; in maintenance nobody shows a certificate, and everybody is a reader."""
    der = peer._transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if der is None:
        return Client(frozenset({"os:reader"}), is_usable=True)
    certificate = x509.load_der_x509_certificate(der)
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    try:
        usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = []
    roles = frozenset(str(organization.value) for organization in organizations)
    return Client(roles, is_usable=usages == [ExtendedKeyUsageOID.CLIENT_AUTH])
