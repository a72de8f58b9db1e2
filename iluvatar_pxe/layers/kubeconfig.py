"""``kubectl``'s configuration file. Pure."""

from collections.abc import Mapping
from typing import Any

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.client_files import dump_client_file, load_client_file
from iluvatar_pxe.layers.credentials import ADMINISTRATOR, Credentials
from iluvatar_pxe.layers.key_pair import encode

_NAME = "kubeconfig"
_LISTS = {"clusters": "delete-cluster", "users": "delete-user", "contexts": "delete-context"}
"""By the list, the command of ``kubectl config`` that removes an entry."""


def kubeconfig(cluster: str, endpoint: str, credentials: Credentials) -> dict[str, Any]:
    """Return the file with one context, as Talos writes it; ``endpoint`` is the URL of the Kubernetes API."""
    user = f"{ADMINISTRATOR}@{cluster}"
    server = {"server": endpoint, "certificate-authority-data": encode(credentials.ca)}
    keys = {
        "client-certificate-data": encode(credentials.crt),
        "client-key-data": encode(credentials.key),
    }
    context = {"cluster": cluster, "namespace": "default", "user": user}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": server}],
        "users": [{"name": user, "user": keys}],
        "contexts": [{"context": context, "name": user}],
        "current-context": user,
    }


def merge_kubeconfig(existing: str, new: str) -> str:
    """Return a user's file with the cluster, user and context of ``new`` in it, as the current one.

    Those of the same cluster are replaced, all others stay. Raises OperationError, also where another cluster has one
    of the names: its contexts would send their credentials to this one.
    """
    merged, ours = load_client_file(existing, _NAME), load_client_file(new, _NAME)
    entries = {key: _entries(merged.get(key) or [], key) for key in _LISTS}
    _check_ours(entries, ours)
    for key in ("apiVersion", "kind"):
        merged.setdefault(key, ours[key])
    for key in _LISTS:
        names = {one["name"] for one in ours[key]}
        merged[key] = [*(one for one in entries[key] if one.get("name") not in names), *ours[key]]
    merged["current-context"] = ours["current-context"]
    return dump_client_file(merged)


def _entries(entries: Any, key: str) -> list[dict[str, Any]]:
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise OperationError(f"{_NAME}: {key}: is no list of entries; correct it, or give another file")
    return entries


def _check_ours(entries: Mapping[str, list[dict[str, Any]]], ours: Mapping[str, Any]) -> None:
    """Raise OperationError for a name of ours that is another cluster's: one with another CA, or none."""
    (cluster,) = ours["clusters"]
    known = [one for one in entries["clusters"] if one.get("name") == cluster["name"]]
    if known and all(_authority(one) == _authority(cluster) for one in known):
        return
    for key, command in _LISTS.items():
        name = ours[key][0]["name"]
        if any(one.get("name") == name for one in entries[key]):
            raise OperationError(
                f"{_NAME}: {key}: {name} is there already, and is not of this cluster; rename it, remove it "
                f"(kubectl config {command} {name}), or give another file"
            )


def _authority(entry: Mapping[str, Any]) -> object:
    cluster = entry.get("cluster")
    return cluster.get("certificate-authority-data") if isinstance(cluster, dict) else None
