"""What Kubernetes asks of the CAs that it is given. Pure."""

from collections.abc import Mapping
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from iluvatar_pxe.layers.keys import PrivateKey

SMALLEST_RSA = 2048
AHEAD = timedelta(hours=1)
"""A CA may begin so much later than this host's clock says: it may just have been made on another host."""
KUBERNETES_KEY = f"must be on the curve P-256, P-384 or P-521, or RSA of {SMALLEST_RSA} bits"
"""What is wrong with a key that ``is_kubernetes_key`` does not take."""

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
"""Those that Kubernetes signs service accounts' tokens with."""


def is_kubernetes_key(key: PrivateKey) -> bool:
    """Say whether Kubernetes and etcd can use a key: on a curve of Go's, or of RSA as kubeadm makes them."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return isinstance(key.curve, _CURVES)
    return isinstance(key, rsa.RSAPrivateKey) and key.key_size >= SMALLEST_RSA


def is_authority(certificate: x509.Certificate) -> bool:
    """Say whether this is a CA, with the identifier that the certificates it signs refer to."""
    try:
        extensions = certificate.extensions
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return (
            extensions.get_extension_for_class(x509.BasicConstraints).value.ca
            and extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
        )
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def public_key_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate's public key, which stays the same however its PEM is written."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def first_twice(keys: Mapping[str, bytes]) -> tuple[str, str] | None:
    """Return the names of two CAs that have one key, the later one first; None where each has its own."""
    names: dict[bytes, str] = {}
    return next(
        ((name, names[key]) for name, key in keys.items() if names.setdefault(key, name) != name), None
    )
