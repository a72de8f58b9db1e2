"""A certification authority of the tests, and the certificates of their publisher, good and bad."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Fault = Literal["expired", "other name", "self-signed"]
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    """``file`` has the authority's certificate, which clients are to trust; ``chain`` the server's, and its key."""

    file: Path
    chain: Path

    @classmethod
    def make(cls, directory: Path, fault: Fault | None = None) -> Self:
        """Make an authority and a certificate for localhost."""
        key, root_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("Publishers' CA", root_key, root_key, "Publishers' CA", None)
        name = "other.example" if fault == "other name" else "localhost"
        signer = (key, name) if fault == "self-signed" else (root_key, "Publishers' CA")
        days = -1 if fault == "expired" else 1
        certificate = _certificate(name, key, signer[0], signer[1], days)
        made = cls(directory / "publisher-ca.pem", directory / "publisher.pem")
        made.file.write_bytes(root.public_bytes(_PEM))
        own = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        made.chain.write_bytes(own + certificate.public_bytes(_PEM))
        return made

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: str,
    days: int | None,
) -> x509.Certificate:
    """Make a certificate that ends in ``days``, or that of an authority where that is None."""
    now = datetime.now(UTC)
    is_root = days is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=1 if days is None else days))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if not is_root:
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            names.append(x509.IPAddress(ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
