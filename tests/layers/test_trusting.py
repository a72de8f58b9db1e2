"""A cluster's servers are believed by their CA, with certificates that Python 3.13 is too strict for by itself."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from iluvatar_pxe.layers.trusting import trusting


def signed(name: str, key: EllipticCurvePrivateKey, issuer: str, by: EllipticCurvePrivateKey) -> bytes:
    """Return a certificate of little but names, which RFC 5280 would have more of."""
    now = datetime.now(UTC)
    subject, authority = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(authority).public_key(key.public_key())
    )
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    if name == issuer:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(by, SHA256()).public_bytes(Encoding.PEM)


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Let both ends speak until the client has decided; raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(to_client, to_server, server_hostname="server")
    answers = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (asks, answers):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert asks.getpeercert()


@pytest.fixture
def key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def server_below(key: EllipticCurvePrivateKey, directory: Path) -> ssl.SSLContext:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "server.pem").write_bytes(text + signed("server", key, "ca", key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem")
    return context


def test_a_certificate_without_the_identifier_of_its_ca_is_believed(
    key: EllipticCurvePrivateKey, tmp_path: Path
) -> None:
    client = trusting(signed("ca", key, "ca", key).decode())
    shake_hands(client, server_below(key, tmp_path))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 sets it
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)identifier|extension"):
        shake_hands(client, server_below(key, tmp_path))


def test_a_certificate_of_another_ca_is_not_believed(key: EllipticCurvePrivateKey, tmp_path: Path) -> None:
    other = generate_private_key(SECP256R1())
    client = trusting(signed("ca", other, "ca", other).decode())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server_below(key, tmp_path))
