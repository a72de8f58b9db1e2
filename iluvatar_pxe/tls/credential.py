"""The TLS port's certificate and key, ready for handshakes."""

import os
import ssl
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from iluvatar_pxe.errors import TlsError
from iluvatar_pxe.tls.authority import BEGINNING, Authority, usage, valid_until
from iluvatar_pxe.tls.names import Names
from iluvatar_pxe.tls.pem import fingerprint, write_key

LIFE = timedelta(days=90)
"""Of a certificate that the own CA has signed; it is renewed when a third of that is left."""
_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "iluvatar-pxe")])


class Credential(Struct, frozen=True):
    """A certificate in use."""

    certificate: x509.Certificate
    anchor: x509.Certificate
    """What clients compare the fingerprint of: the CA that has signed it, or a given certificate itself."""
    context: ssl.SSLContext
    mark: object = None
    """By which it is known that the files have changed since; None where there are none."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint to compare."""
        return fingerprint(self.anchor)

    @property
    def expires(self) -> datetime:
        """The end of its validity."""
        return self.certificate.not_valid_after_utc

    def is_good(self, names: Names, now: datetime) -> bool:
        """Say whether it is valid, for long enough still, and for all of these names."""
        there = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        valid = self.certificate.not_valid_before_utc <= now < self.expires - LIFE / 3
        return valid and set(names) <= set(there)


def issue(authority: Authority, names: Names, now: datetime) -> Credential:
    """Make a key, and let the CA sign a server's certificate for it; raises TlsError without a free descriptor. Blocks."""
    key = ec.generate_private_key(ec.SECP256R1())
    public, signer = key.public_key(), authority.key.public_key()
    builder = (
        x509.CertificateBuilder(authority.certificate.subject, _SUBJECT, public, x509.random_serial_number())
        .not_valid_before(BEGINNING)
        .not_valid_after(valid_until(now, LIFE))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)
    )
    certificate = builder.sign(authority.key, hashes.SHA256())
    pem = certificate.public_bytes(Encoding.PEM) + write_key(key)
    try:
        return Credential(certificate, authority.certificate, server_context(pem))
    except OSError as error:
        text = f"the server's certificate cannot be loaded: {error.strerror}; retried every minute"
        raise TlsError(text) from error


def server_context(pem: bytes) -> ssl.SSLContext:
    """Return what a TLS server needs, of a certificate, its chain and its key; raises OSError, ssl.SSLError too. Blocks.

    OpenSSL reads files only, so that it is given one without a place on any disk.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    with os.fdopen(os.memfd_create("tls"), "wb") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context
