"""``talosctl``'s configuration file. Pure."""

from collections.abc import Sequence
from typing import Any

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.client_files import dump_client_file, load_client_file
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.key_pair import encode

_NAME = "talosconfig"


def talosconfig(cluster: str, endpoints: Sequence[str], credentials: Credentials) -> dict[str, Any]:
    """Return the file with one context, named as the cluster; ``endpoints`` are control planes, never their VIP.

    It names no ``nodes``: a command acts on those that its user names.
    """
    context = {
        "endpoints": list(endpoints),
        "ca": encode(credentials.ca),
        "crt": encode(credentials.crt),
        "key": encode(credentials.key),
    }
    return {"context": cluster, "contexts": {cluster: context}}


def merge_talosconfig(existing: str, new: str) -> str:
    """Return a user's file with the context of ``new`` in it, as the current one; others stay.

    Raises OperationError, also where another cluster's context has its name.
    """
    merged, ours = load_client_file(existing, _NAME), load_client_file(new, _NAME)
    contexts = merged.get("contexts") or {}
    if not isinstance(contexts, dict):
        raise OperationError(f"{_NAME}: contexts: is no mapping; correct it, or give another file")
    for name, context in ours["contexts"].items():
        known = contexts.get(name)
        if known and not (isinstance(known, dict) and known.get("ca") == context["ca"]):
            raise OperationError(
                f"{_NAME}: contexts: {name} is there already, and is not of this cluster; rename it, remove it "
                f"(talosctl config remove {name}), or give another file"
            )
    contexts.update(ours["contexts"])
    merged.update(contexts=contexts, context=ours["context"])
    return dump_client_file(merged)
