"""Which API server a kubeconfig is for. Pure."""

from typing import Any
from urllib.parse import urlsplit

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.client_files import load_client_file

_PORT = 6443


def server_of(text: str) -> tuple[str, int]:
    """Return host and port of the current context's cluster; raises OperationError, which shows nothing of the file."""
    found = load_client_file(text, "kubeconfig")
    context = _named(found, "contexts", str(found.get("current-context", ""))).get("context")
    name = context.get("cluster") if isinstance(context, dict) else None
    cluster = _named(found, "clusters", str(name or "")).get("cluster")
    server = str(cluster.get("server", "")) if isinstance(cluster, dict) else ""
    try:
        parts = urlsplit(server)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        host, port = None, _PORT
    if not host or parts.scheme != "https":
        raise OperationError("kubeconfig: its current context names no server at https://; give another file")
    return host, port


def _named(found: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    """Return the entry of a list with this name; an empty one where there is none."""
    entries = found.get(key)
    ones = [one for one in (entries if isinstance(entries, list) else ()) if isinstance(one, dict)]
    return next((one for one in ones if str(one.get("name", "")) == name), {})
