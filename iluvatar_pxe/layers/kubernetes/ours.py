"""Objects that the daemon gives a cluster: by which label it knows them again, and where the API has them. Pure."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]
LABELS: Mapping[str, str] = {"app.kubernetes.io/managed-by": "iluvatar-pxe"}
_COLLECTIONS = {
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "BackupTarget": "/apis/longhorn.io/v1beta2/namespaces/{namespace}/backuptargets",
    "RecurringJob": "/apis/longhorn.io/v1beta2/namespaces/{namespace}/recurringjobs",
}


def our(version: str, kind: str, name: str, namespace: str = "", **parts: object) -> dict[str, Any]:
    """Return an object with the daemon's label; one without a namespace is the whole cluster's."""
    metadata: dict[str, Any] = {"name": name, "labels": dict(LABELS)}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
        **parts,
    }


def collection_of(kind: str, namespace: str = "") -> str:
    """Return the path of all objects of a kind."""
    return _COLLECTIONS[kind].format(namespace=namespace)


def path_of(found: Object) -> str:
    """Return the path of an object."""
    metadata = found["metadata"]
    return f"{collection_of(found['kind'], metadata.get('namespace', ''))}/{metadata['name']}"


def is_as_wanted(found: Any, wanted: Any) -> bool:
    """Say whether an object has all fields that it is to have; others may be there, too."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(is_as_wanted(found.get(key), wanted[key]) for key in wanted)
    return bool(found == wanted)
