"""Client certificates for a cluster's two APIs, signed with its secrets. Pure: time and randomness are given."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.certificates import client_certificate
from iluvatar_pxe.layers.arda.keys import ed25519_key
from iluvatar_pxe.layers.certificates import Client
from iluvatar_pxe.layers.credentials import ADMINISTRATOR, MASTERS, Credentials, valid_for
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import Randomness, p256_key

_ADMINISTRATOR = Client([MASTERS], ADMINISTRATOR, encipherment=True)


class ApiRole(StrEnum):
    """What a client may do with Talos' API."""

    ADMIN = "os:admin"
    OPERATOR = "os:operator"
    READER = "os:reader"
    ETCD_BACKUP = "os:etcd:backup"


def talos_credentials(
    bundle: Bundle, roles: Iterable[ApiRole], lifetime: timedelta, now: datetime, random: Randomness
) -> Credentials:
    """Return credentials for Talos' API, which takes the roles from the certificate's organizations."""
    client = Client(sorted(set(roles)))
    pair = client_certificate(bundle.os, ed25519_key(random), client, valid_for(lifetime, now), random)
    return _credentials(bundle.os, pair)


def kubernetes_credentials(
    bundle: Bundle,
    lifetime: timedelta,
    now: datetime,
    random: Randomness,
    client: Client = _ADMINISTRATOR,
) -> Credentials:
    """Return credentials for the Kubernetes API, an administrator's unless they are for another client."""
    authority = bundle.kubernetes
    pair = client_certificate(authority, p256_key(random), client, valid_for(lifetime, now), random)
    return _credentials(authority, pair)


def _credentials(authority: KeyPair, pair: KeyPair) -> Credentials:
    return Credentials(ca=authority.crt, crt=pair.crt, key=pair.key)
