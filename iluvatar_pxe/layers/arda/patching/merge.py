"""Merges values as Talos does, by their types and the tables of its fields."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from iluvatar_pxe.layers.arda.documents import Unquoted, changeable
from iluvatar_pxe.layers.arda.patching.spot import MergeError, Spot
from iluvatar_pxe.layers.arda.patching.tables import (
    ALWAYS_THERE,
    ARGUMENTS,
    ITEMS_REPLACED,
    KEYED,
    NOTHING,
    RESET,
    SIZES,
    URLS,
    ZEROS,
)
from iluvatar_pxe.layers.arda.patching.urls import merged_url

_ZERO = re.compile(r"[-+]?(?:0[xXoObB])?[0_.]+(?:[eE][-+]?[0-9]+)?")


def merged_maps(old: Mapping[str, Any], new: Mapping[str, Any], spot: Spot) -> dict[str, Any]:
    """Return a section or a map with what a patch says of it; raises MergeError."""
    told = {key: value for key, value in new.items() if value is not None}
    merged = {key: value for key, value in old.items() if key in told or spot.key(key).field not in RESET}
    for key, value in told.items():
        merged[key] = _merged(merged.get(key), value, spot.key(key))
    for key in _reset_below(merged.keys() - told.keys(), spot):
        merged[key] = merged_maps(merged[key] or {}, {}, spot.key(key))
    return merged


def _reset_below(keys: Iterable[str], spot: Spot) -> Iterator[str]:
    """Yield those of the sections, which the patch does not mention, that have values to reset all the same."""
    for key in keys:
        field = spot.key(key).field
        if field in ALWAYS_THERE and any(one.startswith(f"{field}.") for one in RESET):
            yield key


def _merged(old: Any, new: Any, spot: Spot) -> Any:
    if spot.field in KEYED and isinstance(new, Sequence) and not isinstance(new, str):
        return _by_key(old or [], new, spot)
    if old is None or spot.is_replaced:
        return changeable(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **changeable(new)} if spot.field in ARGUMENTS else merged_maps(old, new, spot)
    if isinstance(old, list) and isinstance(new, list | tuple):
        return [*old, *changeable(new)]
    return _scalar(old, new, spot)


def _scalar(old: Any, new: Any, spot: Spot) -> Any:
    kinds = _kind(old, exact=spot.is_free), _kind(new, exact=spot.is_free)
    if kinds[0] != kinds[1]:
        text = f"is {kinds[1]}, and {kinds[0]} in the configuration; delete it first ($patch: delete)"
        raise MergeError(spot, text)
    if spot.field in NOTHING and new in {NOTHING[spot.field], 0}:
        return old
    if spot.field not in ZEROS and _is_zero(new):
        return old
    if spot.field in URLS:
        return _url(old, new, spot)
    if spot.field in SIZES and str(new).endswith("%") and not str(old).endswith("%"):
        text = f"Talos keeps {old} besides; delete it first, in a patch file of its own: {spot.path.rpartition('.')[2]}"
        raise MergeError(spot, f"{text}: {{$patch: delete}}")
    return new


def _url(old: Any, new: Any, spot: Spot) -> str:
    if (url := merged_url(str(old), str(new))) is None:
        raise MergeError(spot, "both addresses have a user; delete the old one first ($patch: delete)")
    return url


def _by_key(old: Sequence[Any], new: Sequence[Any], spot: Spot) -> list[Any]:
    merged = list(old)
    for number, item in enumerate(new):
        index = _same(merged, item, KEYED[spot.field])
        if index is None:
            merged.append(changeable(item))
        elif spot.field in ITEMS_REPLACED:
            merged[index] = changeable(item)
        else:
            merged[index] = merged_maps(merged[index], item, spot.item(number))
    return merged


def _same(items: Sequence[Any], new: Any, keys: Sequence[str]) -> int | None:
    """Return the index of the item that a patch's item means."""
    key = next((key for key in keys if new.get(key)), keys[0])
    if len(keys) > 1 and not new.get(key):
        return None
    wanted = new.get(key) or None
    return next((index for index, item in enumerate(items) if (item.get(key) or None) == wanted), None)


def _is_zero(value: Any) -> bool:
    if isinstance(value, Unquoted):
        return _ZERO.fullmatch(value) is not None
    return not isinstance(value, bool) and value in {"", 0}


def _kind(value: Any, *, exact: bool) -> str:
    """Return what a value is, in words; ``exact``: as Talos tells scalars apart in contents of another program."""
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list | tuple):
        return "a list"
    if not exact:
        return "a single value"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float) or (isinstance(value, Unquoted) and re.search(r"[.eE]", value)):
        return "a decimal number"
    return "a whole number" if isinstance(value, int | Unquoted) else "a text"
