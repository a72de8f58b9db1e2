"""The secrets of a k3s cluster out of a server's directory, ``/var/lib/rancher/k3s/server``. Pure."""

from collections.abc import Callable

import yaml

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.layers.ainur.bundle import AUTHORITIES, SERVICE_KEY

_TOKENS = {"token": ("token", "node-token"), "agent-token": ("agent-token",)}
"""By what we call it, the files that may have it: k3s links one to the other."""
WANTED = (
    *(name for names in _TOKENS.values() for name in names),
    *(f"{path}.{end}" for path in AUTHORITIES.values() for end in ("crt", "key")),
    SERVICE_KEY,
)
"""The files that are read, below the directory."""


def secrets_text(read: Callable[[str], str | None]) -> str:
    """Return the secrets as ``cluster secrets import`` takes them; ``read`` returns a file's text, None where there is none.

    Raises OperationError for one that is missing.
    """
    found = {name: _first(read, names, name) for name, names in _TOKENS.items()}
    certificates = WANTED[sum(map(len, _TOKENS.values())) :]
    found |= {path: _first(read, (path,), path) for path in certificates}
    text: str = yaml.safe_dump(found, sort_keys=False, width=1_000_000, default_style="|")
    return text


def _first(read: Callable[[str], str | None], names: tuple[str, ...], name: str) -> str:
    for one in names:
        if text := read(one):
            return text
    raise OperationError(
        f"{name}: is not among these files; give /var/lib/rancher/k3s/server of a server, as root, or a tar of it"
    )
