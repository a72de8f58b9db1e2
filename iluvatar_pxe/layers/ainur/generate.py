"""Makes the secrets of a new k3s cluster. Pure: time and randomness are given."""

from datetime import datetime, timedelta

from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.certificates import new_authority, new_root
from iluvatar_pxe.layers.certificates import Validity
from iluvatar_pxe.layers.keys import Randomness

ROOT_LIFE = timedelta(days=7300)
"""As in k3s' own script, and so is that of the CAs."""
LIFE = timedelta(days=3700)
_PASSWORD_BYTES = 32


def generate_k3s_bundle(random: Randomness, service_key_pem: str, now: datetime) -> K3sBundle:
    """Return new secrets: the same randomness, key and time give the same ones.

    ``service_key_pem`` is an RSA key in PEM, which cannot be made from given randomness. The CAs of etcd are not below
    the root: etcd lets in whoever has a certificate below what is in the file of its CA, and agents have some below the
    root.
    """
    root = new_root("root", Validity(now, now + ROOT_LIFE), random)
    validity = Validity(now, now + LIFE)
    return K3sBundle(
        server_token=random(_PASSWORD_BYTES).hex(),
        agent_token=random(_PASSWORD_BYTES).hex(),
        root=root,
        server=new_authority("server", root, validity, random),
        client=new_authority("client", root, validity, random),
        request_header=new_authority("request-header", root, validity, random),
        etcd_server=new_root("etcd-server", validity, random),
        etcd_peer=new_root("etcd-peer", validity, random),
        service_key=service_key_pem,
    )
