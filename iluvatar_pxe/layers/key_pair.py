"""A certificate and its private key, as texts: without what reads them, so that a push is checked at once. Pure."""

from base64 import b64encode
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """A certificate and its private key, in PEM with the labels that their layer's programs know."""

    crt: str
    key: str


def encode(pem: str) -> str:
    """Return a PEM text as Talos' and kubectl's files hold it: base64 over the whole."""
    return b64encode(pem.encode()).decode()
