"""What talosconfig and kubeconfig have in common: YAML of a user's own, into which ours is merged. Pure."""

from collections.abc import Mapping
from typing import Any

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_documents
from iluvatar_pxe.layers.arda.documents import Unquoted, changeable, dump_documents, unquoted

LARGEST = 1 << 20
"""Characters of a client's file."""
_TRUTHS = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Words without quotes that kubectl's YAML library takes for booleans where its fields are."""


def load_client_file(text: str, name: str) -> dict[str, Any]:
    """Return the mapping that a user's file holds, an empty one if there is none; raises OperationError.

    Scalars stay what they are when it is dumped again. Its errors do not show what the file holds.
    """
    if len(text) > LARGEST:
        raise OperationError(f"{name}: has more than {LARGEST} characters; give another file")
    try:
        found: list[dict[str, Any]] = [changeable(one.value) for one in parse_documents(text, _scalar, "")]
    except DocumentError as error:
        raise OperationError(
            f"{name}: line {error.line} is no YAML with keys; correct it, or give another file"
        ) from error
    if len(found) > 1:
        raise OperationError(f"{name}: holds a second document; remove it, or give another file")
    return found[0] if found else {}


def dump_client_file(document: Mapping[str, Any]) -> str:
    """Return a file's text."""
    return dump_documents([document])


def _scalar(text: str) -> Any:
    return Unquoted(text) if text.lower() in _TRUTHS else unquoted(text)
