"""Who answers on a machine's port for Talos, and how the daemon shows who it is."""

import asyncio
import hashlib
import os
import ssl
from base64 import b64encode

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from msgspec import Struct

from iluvatar_pxe.errors import TalosAnswerError, TalosError, TalosIdentityError, TalosUnreachableError
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.keys import UNREADABLE
from iluvatar_pxe.layers.load_key import load_key

PORT = 50000
CONNECT_SECONDS = 10.0
"""For TCP and TLS together."""
MAINTENANCE = "maintenance-service.talos.dev"
"""The name in the certificate of a machine in maintenance mode."""

_REMEDY = "is it on, and does it run Talos?"


class Identity(Struct, frozen=True):
    """The certificate that a machine has shown: nobody else has vouched for it."""

    common_name: str
    fingerprint: str
    """Base64 of the SHA-256 of the public key, as a machine in maintenance mode prints it on its console."""
    certificate: bytes

    @property
    def is_maintenance(self) -> bool:
        """Say whether the machine waits in maintenance mode."""
        return self.common_name == MAINTENANCE

    def is_of(self, ca: str) -> bool:
        """Say whether the CA, in PEM, has signed the certificate."""
        try:
            authority = x509.load_pem_x509_certificate(ca.encode())
            x509.load_der_x509_certificate(self.certificate).verify_directly_issued_by(authority)
        except (InvalidSignature, *UNREADABLE):
            return False
        return True


async def identify(address: str, *, port: int = PORT) -> Identity:
    """Return who answers, by the handshake alone; raises TalosUnreachableError or TalosAnswerError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(address, port, ssl=anybody())
    except (OSError, TimeoutError) as error:
        raise unreachable(address, error) from error
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return identity_of(shown, address)


async def is_maintenance(address: str, *, port: int = PORT) -> bool:
    """Say whether a machine waits in maintenance mode; raises TalosUnreachableError or TalosAnswerError."""
    return (await identify(address, port=port)).is_maintenance


def identity_of(shown: bytes | None, label: str) -> Identity:
    """Return what a certificate in DER says; raises TalosAnswerError."""
    try:
        certificate = x509.load_der_x509_certificate(shown or b"")
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except UNREADABLE as error:
        raise TalosAnswerError(f"{label}: shows a certificate that cannot be read; {_REMEDY}") from error
    name = names[0].value if names else ""
    fingerprint = b64encode(hashlib.sha256(key).digest()).decode()
    return Identity(name if isinstance(name, str) else "", fingerprint, shown or b"")


def anybody() -> ssl.SSLContext:
    """Return a context that accepts any certificate, and shows none: for maintenance mode."""
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def of_cluster(credentials: Credentials, label: str) -> ssl.SSLContext:
    """Return a context that accepts machines of the cluster only; raises TalosIdentityError."""
    context = _context()
    try:
        context.load_verify_locations(cadata=credentials.ca)
        load_key(context, credentials)
    except (ssl.SSLError, ValueError) as error:
        raise TalosIdentityError(
            f"{label}: the daemon's own certificate for Talos cannot be used; check the cluster's secrets"
        ) from error
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    return context


def unreachable(label: str, error: Exception) -> TalosError:
    """Return what a failure to connect means."""
    if isinstance(error, TimeoutError):
        return TalosUnreachableError(
            f"{label}: Talos does not answer within {CONNECT_SECONDS:.0f} s; {_REMEDY}"
        )
    return TalosUnreachableError(f"{label}: Talos cannot be reached: {_reason(error)}; {_REMEDY}")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's
        return f"no TLS ({(error.reason or 'the handshake broke off').lower().replace('_', ' ')})"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
