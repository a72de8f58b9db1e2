"""Whether the secrets of a bundle fit together and can be used. Pure."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ed25519

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.keys import load_key
from iluvatar_pxe.layers.authority_check import (
    AHEAD,
    KUBERNETES_KEY,
    first_twice,
    is_authority,
    is_kubernetes_key,
    public_key_of,
)
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import PrivateKey, load_certificate

_TOKEN = re.compile(r"[0-9a-z]{6}\.[0-9a-z]{16}")
_SECRET_BYTES = 32
_EXPORT = "export the secrets again from the cluster that they are of"


def check_bundle(bundle: Bundle, now: datetime) -> None:
    """Raise BundleError for the first thing that is wrong with a bundle; its text shows no secret."""
    check_form(bundle)
    _check_apart(bundle)
    for name, pair in _authorities(bundle).items():
        begin = load_certificate(pair.crt).not_valid_before_utc
        if now + AHEAD < begin:
            raise BundleError(
                f"certs.{name}.crt: begins on {begin:%Y-%m-%d} only; compare the clocks, or export the secrets again"
            )
    for name, end in ends_of(bundle).items():
        if now >= end:
            raise BundleError(
                f"certs.{name}.crt: ended on {end:%Y-%m-%d}; renew that CA in its cluster first"
            )


def check_form(bundle: Bundle) -> None:
    """Raise BundleError as ``check_bundle``, except for what time alone makes wrong."""
    for name, pair in _authorities(bundle).items():
        _check_pair(f"certs.{name}", pair)
    if not isinstance(load_key(bundle.os.key), ed25519.Ed25519PrivateKey):
        raise BundleError(f"certs.os.key: is not Ed25519, as Talos has it; {_EXPORT}")
    _check_kubernetes_key(
        "certs.k8sserviceaccount.key", _key(bundle.service_account_key, "certs.k8sserviceaccount")
    )
    for name, token in (
        ("secrets.bootstraptoken", bundle.bootstrap_token),
        ("trustdinfo.token", bundle.trustd_token),
    ):
        if not _TOKEN.fullmatch(token):
            raise BundleError(f"{name}: must be 6 and 16 of 0-9 and a-z with a dot between them; {_EXPORT}")
    for name, secret in (
        ("cluster.secret", bundle.cluster_secret),
        ("secrets.secretboxencryptionsecret", bundle.secretbox_key),
    ):
        if not _is_secret(secret):
            raise BundleError(f"{name}: must be base64 of {_SECRET_BYTES} bytes; {_EXPORT}")


def _check_apart(bundle: Bundle) -> None:
    """One CA in two places would let the clients of one service be those of the other."""
    if twice := first_twice(unshared(bundle)):
        raise BundleError(f"{twice[0]}: has the key of {twice[1]}; {_EXPORT}")


def ends_of(bundle: Bundle) -> Mapping[str, datetime]:
    """Return when each CA of a bundle ends, by its name in the bundle; raises BundleError."""
    return {
        name: load_certificate(pair.crt).not_valid_after_utc for name, pair in _authorities(bundle).items()
    }


def unshared(bundle: Bundle) -> Mapping[str, bytes]:
    """Return, by name, what no two clusters may share: the CAs' public keys; raises BundleError."""
    authorities = _authorities(bundle)
    return {f"certs.{name}": public_key_of(load_certificate(pair.crt)) for name, pair in authorities.items()}


def _authorities(bundle: Bundle) -> Mapping[str, KeyPair]:
    return {
        "etcd": bundle.etcd,
        "k8s": bundle.kubernetes,
        "k8saggregator": bundle.aggregator,
        "os": bundle.os,
    }


def _check_pair(name: str, pair: KeyPair) -> None:
    try:
        certificate = load_certificate(pair.crt)
    except BundleError as error:
        raise BundleError(f"{name}.crt: {error}; {_EXPORT}") from error
    key = _key(pair.key, name)
    if certificate.public_key() != key.public_key():
        raise BundleError(f"{name}: its key is not the key of its certificate; {_EXPORT}")
    if name != "certs.os":
        _check_kubernetes_key(f"{name}.key", key)
    if not is_authority(certificate):
        raise BundleError(f"{name}.crt: is not the certificate of a CA; {_EXPORT}")


def _key(pem: str, name: str) -> PrivateKey:
    try:
        return load_key(pem)
    except BundleError as error:
        raise BundleError(f"{name}.key: {error}; {_EXPORT}") from error


def _check_kubernetes_key(name: str, key: PrivateKey) -> None:
    if not is_kubernetes_key(key):
        raise BundleError(f"{name}: {KUBERNETES_KEY}; {_EXPORT}")


def _is_secret(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == _SECRET_BYTES
    except (binascii.Error, ValueError):
        return False
