"""Makes the secrets of a new cluster, as ``talosctl gen secrets`` does. Pure: time and randomness are given."""

from base64 import b64encode
from datetime import datetime, timedelta

from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.certificates import new_authority
from iluvatar_pxe.layers.arda.keys import ed25519_key
from iluvatar_pxe.layers.certificates import Validity
from iluvatar_pxe.layers.keys import Randomness, p256_key

LIFE = timedelta(hours=87600)
"""Of a cluster's CAs."""
SERVICE_ACCOUNT_BITS = 4096
"""Of the RSA key that a bundle's service accounts have, which the caller makes."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_UNBIASED = 256 // len(_DIGITS) * len(_DIGITS)
"""Random bytes from here on are discarded: the digits that they stood for would be likelier than others."""


def generate_bundle(random: Randomness, service_account_key: str, now: datetime) -> Bundle:
    """Return new secrets: the same randomness, key and time give the same ones.

    ``service_account_key`` is an RSA key in PEM (PKCS #1), which cannot be made from given randomness.
    """
    validity = Validity(now, now + LIFE)
    return Bundle(
        cluster_id=_secret(random),
        cluster_secret=_secret(random),
        bootstrap_token=_token(random),
        secretbox_key=_secret(random),
        trustd_token=_token(random),
        etcd=new_authority(p256_key(random), "etcd", validity, random),
        kubernetes=new_authority(p256_key(random), "kubernetes", validity, random),
        aggregator=new_authority(p256_key(random), "", validity, random),
        service_account_key=service_account_key,
        os=new_authority(ed25519_key(random), "talos", validity, random),
    )


def _secret(random: Randomness) -> str:
    return b64encode(random(32)).decode()


def _token(random: Randomness) -> str:
    return f"{_digits(random, 6)}.{_digits(random, 16)}"


def _digits(random: Randomness, count: int) -> str:
    found = ""
    while len(found) < count:
        (byte,) = random(1)
        if byte < _UNBIASED:
            found += _DIGITS[byte % len(_DIGITS)]
    return found
