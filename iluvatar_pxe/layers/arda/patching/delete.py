"""Deletes parts of a document as Talos does: what must be there, and what need not."""

from collections.abc import Mapping
from typing import Any

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.patching.patch import Deletion
from iluvatar_pxe.layers.arda.patching.spot import Spot
from iluvatar_pxe.layers.arda.patching.tables import ALWAYS_THERE, FREE, KEYS, MAPS, NOT_SEARCHED


def without(document: Mapping[str, Any], deletion: Deletion) -> dict[str, Any]:
    """Return a document without what is deleted; raises DocumentError."""
    result: dict[str, Any] = _without(
        document, deletion.spot.location, Spot(f"{deletion.document.kind}:"), deletion
    )
    return result


def _without(value: Any, location: Location, spot: Spot, deletion: Deletion) -> Any:
    """Return a section, map or list without what is at ``location`` in it; ``spot`` is its own."""
    first, *rest = location
    if isinstance(first, int):
        return _without_item(value, tuple(rest), spot, deletion)
    if value is None and spot.field in ALWAYS_THERE:
        value = {}
    is_map = spot.is_free or spot.field in MAPS or spot.field in FREE
    if not isinstance(value, Mapping) or spot.field in KEYS or (is_map and first not in value):
        raise _missing(deletion)
    below = None if not rest else _without(value.get(first), tuple(rest), spot.key(first), deletion)
    kept = {key: part for key, part in value.items() if key != first}
    return kept if below is None else {key: below if key == first else part for key, part in value.items()}


def _without_item(value: Any, rest: Location, spot: Spot, deletion: Deletion) -> list[Any]:
    """Only items that are sections of Talos' own are found, by a text."""
    if rest or deletion.item is None:
        raise DocumentError(
            deletion.line, f"{deletion.spot.path}: lists in lists cannot be searched; {_ANEW}"
        )
    if not isinstance(value, list) or spot.is_free or spot.item(0).is_free:
        raise _missing(deletion)
    key, wanted = deletion.item
    if spot.item(0).key(key).field in NOT_SEARCHED:
        raise DocumentError(
            deletion.line, f"{deletion.spot.path}: Talos finds no item by its {key}; delete the whole list"
        )
    for index, item in enumerate(value):
        if isinstance(item, Mapping) and isinstance(item.get(key), str) and item[key] == wanted:
            return [*value[:index], *value[index + 1 :]]
    raise _missing(deletion)


_ANEW = "delete the item of the outer list, and add it anew"


def _missing(deletion: Deletion) -> DocumentError:
    """Say it without the value, which may be a secret."""
    what = f"no item with this {deletion.item[0]} is in" if deletion.item else "it is not in"
    text = f"{deletion.spot.path}: {what} {deletion.document}, and so cannot be deleted"
    return DocumentError(deletion.line, f"{text}; remove this $patch: delete")
