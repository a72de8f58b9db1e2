"""Private keys and chains of certificates in PEM, as k3s reads them. Pure."""

import re

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.keys import UNREADABLE, Labels, PrivateKey, load_labelled_key

_LABELS: Labels = {
    "EC PRIVATE KEY": (ec.EllipticCurvePrivateKey,),
    "RSA PRIVATE KEY": (rsa.RSAPrivateKey,),
    "PRIVATE KEY": (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey),
}
"""What k3s reads (rancher/dynamiclistener, cert/pem.go): no Ed25519."""
_CHAIN = re.compile(
    r"(\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*){1,8}", re.ASCII
)


def load_key(pem: str) -> PrivateKey:
    """Return the private key in a PEM text; raises BundleError, whose text begins with what is wrong."""
    return load_labelled_key(pem, _LABELS, "k3s")


def load_chain(pem: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a PEM text; raises BundleError, whose text begins with what is wrong."""
    try:
        chain = tuple(x509.load_pem_x509_certificates(pem.encode()))
        for certificate in chain:
            certificate.public_key()
    except UNREADABLE as error:
        raise BundleError("is a damaged certificate") from error
    if not _CHAIN.fullmatch(pem):
        raise BundleError("holds more than a chain of certificates")
    return chain
