"""Client certificates for a cluster's two APIs, signed with its secrets. Pure: time and randomness are given."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from iluvatar_pxe.layers.arda.bundle import Bundle, KeyPair
from iluvatar_pxe.layers.arda.certificates import Validity, client_certificate
from iluvatar_pxe.layers.arda.keys import Randomness, ed25519_key, p256_key

ADMINISTRATOR = "admin"
"""The name of the user in a kubeconfig, as Talos has it."""
_MASTERS = "system:masters"
"""Kubernetes' group of those who may do everything."""
_SKEW = timedelta(seconds=10)
"""A certificate is valid so long before it is signed, because the clocks of two machines differ a little."""


class ApiRole(StrEnum):
    """What a client may do with Talos' API."""

    ADMIN = "os:admin"
    OPERATOR = "os:operator"
    READER = "os:reader"
    ETCD_BACKUP = "os:etcd:backup"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a client of an API needs: the CA that it trusts, its own certificate, and its key; PEM with Talos' labels."""

    ca: str
    crt: str
    key: str


def talos_credentials(
    bundle: Bundle, roles: Iterable[ApiRole], lifetime: timedelta, now: datetime, random: Randomness
) -> Credentials:
    """Return credentials for Talos' API, which takes the roles from the certificate's organizations."""
    organizations = sorted(set(roles))
    pair = client_certificate(bundle.os, ed25519_key(random), organizations, _validity(lifetime, now), random)
    return _credentials(bundle.os, pair)


def kubernetes_credentials(
    bundle: Bundle, lifetime: timedelta, now: datetime, random: Randomness
) -> Credentials:
    """Return an administrator's credentials for the Kubernetes API."""
    pair = client_certificate(
        bundle.kubernetes,
        p256_key(random),
        [_MASTERS],
        _validity(lifetime, now),
        random,
        common_name=ADMINISTRATOR,
        encipherment=True,
    )
    return _credentials(bundle.kubernetes, pair)


def _validity(lifetime: timedelta, now: datetime) -> Validity:
    return Validity(now - _SKEW, now + lifetime)


def _credentials(authority: KeyPair, pair: KeyPair) -> Credentials:
    return Credentials(ca=authority.crt, crt=pair.crt, key=pair.key)
