"""Another cluster that Argo CD may install into: its Secret, and whose user Argo CD is there. Pure.

See Argo CD's "Declarative Setup". Argo CD gets a client's certificate that ends, in place of the token of a
ServiceAccount, which does not.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from iluvatar_pxe.layers.argocd.objects import NAMESPACE
from iluvatar_pxe.layers.certificates import Client
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.key_pair import encode
from iluvatar_pxe.layers.kubernetes.ours import Object, our

LIFETIME = timedelta(days=30)
"""Of the certificate; it is renewed once half of that is left."""
_GROUP = "rbac.authorization.k8s.io"


def argo_cd_of(layer: str) -> Client:
    """Return who Argo CD of a layer's cluster is in others: a user of no group, who may do what a binding says."""
    return Client([], f"iluvatar-pxe:argocd:{layer}", encipherment=True)


def binding(layer: str) -> Object:
    """Return what lets that user do everything, as ``argocd cluster add`` does; deleted, it takes that back."""
    subject = {"apiGroup": _GROUP, "kind": "User", "name": argo_cd_of(layer).common_name}
    return our(
        f"{_GROUP}/v1",
        "ClusterRoleBinding",
        f"iluvatar-pxe-argocd-{layer}",
        subjects=[subject],
        roleRef={"apiGroup": _GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
    )


def cluster_secret(cluster: str, url: str, credentials: Credentials) -> Object:
    """Return the Secret that Argo CD knows a cluster by."""
    tls = {
        "caData": encode(credentials.ca),
        "certData": encode(credentials.crt),
        "keyData": encode(credentials.key),
    }
    data = {"name": cluster, "server": url, "config": json.dumps({"tlsClientConfig": tls})}
    found = our("v1", "Secret", name_of(cluster), NAMESPACE, type="Opaque")
    found["metadata"]["labels"] |= {"argocd.argoproj.io/secret-type": "cluster"}
    return {**found, "data": {key: encode(value) for key, value in data.items()}}


def name_of(cluster: str) -> str:
    """Return the name of a cluster's Secret."""
    return f"iluvatar-cluster-{cluster}"


def is_good(found: Object, url: str, authority: str, now: datetime) -> bool:
    """Say whether a cluster's Secret leads to a URL by this CA, and its certificate lasts."""
    config = _config(found)
    if _decoded(found, "server") != url or config.get("caData") != encode(authority):
        return False
    try:
        crt = x509.load_pem_x509_certificate(base64.b64decode(str(config.get("certData"))))
    except ValueError:
        return False
    return crt.not_valid_before_utc <= now and crt.not_valid_after_utc - now > LIFETIME / 2


def _config(found: Object) -> Mapping[str, Any]:
    try:
        config = json.loads(_decoded(found, "config"))
    except ValueError:
        return {}
    tls = config.get("tlsClientConfig") if isinstance(config, dict) else None
    return tls if isinstance(tls, dict) else {}


def _decoded(found: Object, key: str) -> str:
    """Return a value of a Secret; nothing where it has none that can be read."""
    data = found.get("data")
    try:
        return base64.b64decode(str(data.get(key, ""))).decode() if isinstance(data, Mapping) else ""
    except (binascii.Error, UnicodeDecodeError):
        return ""
