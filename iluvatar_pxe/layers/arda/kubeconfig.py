"""``kubectl``'s configuration file. Pure."""

from typing import Any

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.arda.bundle import encode
from iluvatar_pxe.layers.arda.client_files import dump_client_file, load_client_file
from iluvatar_pxe.layers.arda.credentials import ADMINISTRATOR, Credentials

_NAME = "kubeconfig"
_LISTS = ("clusters", "users", "contexts")


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

    Those of the same name are replaced, all others stay. Raises OperationError.
    """
    merged, ours = load_client_file(existing, _NAME), load_client_file(new, _NAME)
    for key in ("apiVersion", "kind"):
        merged.setdefault(key, ours[key])
    for key in _LISTS:
        merged[key] = _with(merged.get(key) or [], ours[key], key)
    merged["current-context"] = ours["current-context"]
    return dump_client_file(merged)


def _with(entries: Any, ours: list[Any], key: str) -> list[Any]:
    """Return a list of named entries with ours in the place of those of the same name."""
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise OperationError(f"{_NAME}: {key}: is no list of entries; correct it, or give another file")
    names = [one["name"] for one in ours]
    return [*(one for one in entries if one.get("name") not in names), *ours]
