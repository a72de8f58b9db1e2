"""Client certificates for a k3s cluster's Kubernetes API and etcd, signed with its secrets. Pure."""

from datetime import datetime, timedelta

from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.keys import load_chain, load_key
from iluvatar_pxe.layers.certificates import Client, Issuer, client_certificate
from iluvatar_pxe.layers.credentials import ADMINISTRATOR, MASTERS, Credentials, valid_for
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import Randomness, dump_key, p256_key

_ADMINISTRATOR = Client([MASTERS], ADMINISTRATOR, encipherment=True)


def etcd_credentials(
    bundle: K3sBundle, lifetime: timedelta, now: datetime, random: Randomness
) -> Credentials:
    """Return credentials for the cluster's etcd, which may do everything there; raises as ``administrator_credentials``."""
    key = p256_key(random)
    crt = client_certificate(
        _issuer(bundle.etcd_server), key, Client([], "etcd-client"), valid_for(lifetime, now), random
    )
    return Credentials(ca=bundle.etcd_server.crt, crt=crt + bundle.etcd_server.crt, key=dump_key(key))


def administrator_credentials(
    bundle: K3sBundle, lifetime: timedelta, now: datetime, random: Randomness
) -> Credentials:
    """Return an administrator's credentials; raises BundleError where the CA of clients has ended.

    The certificate is followed by those of its CA, as k3s writes its own.
    """
    key = p256_key(random)
    crt = client_certificate(_issuer(bundle.client), key, _ADMINISTRATOR, valid_for(lifetime, now), random)
    return Credentials(ca=bundle.server.crt, crt=crt + bundle.client.crt, key=dump_key(key))


def _issuer(authority: KeyPair) -> Issuer:
    return Issuer(load_chain(authority.crt)[0], load_key(authority.key), "k3s certificate rotate-ca")
