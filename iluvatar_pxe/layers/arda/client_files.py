"""What talosconfig and kubeconfig have in common: YAML of a user's own, into which ours is merged. Pure."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from iluvatar_pxe.errors import OperationError

LARGEST = 1 << 20
"""Characters of a client's file."""
_WIDE = 1 << 20
"""Columns: nothing is folded."""


def load_client_file(text: str, name: str) -> dict[str, Any]:
    """Return the mapping that a user's file holds, an empty one if there is none; raises OperationError.

    Scalars stay what they are when it is dumped again.
    """
    if len(text) > LARGEST:
        raise OperationError(f"{name}: has more than {LARGEST} characters; give another file")
    try:
        found = _yaml().load(text)
    except (YAMLError, ValueError, RecursionError) as error:  # whose text may quote a secret
        raise OperationError(f"{name}: is not valid YAML; correct it, or give another file") from error
    if not isinstance(found, dict | None):
        raise OperationError(f"{name}: is no mapping; correct it, or give another file")
    return found or {}


def dump_client_file(document: Mapping[str, Any]) -> str:
    """Return a file's text."""
    written = io.StringIO()
    _yaml().dump(document, written)
    return written.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDE
    return yaml
