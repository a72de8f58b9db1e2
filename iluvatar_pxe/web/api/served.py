"""Which commands the network's API has, and how the fields of each are given: by the path, the query or the body."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_origin

from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.machine_reads import ShowMachines
from iluvatar_pxe.admin.registry import COMMANDS

SERVED: Sequence[type[Command]] = tuple(kind for kind in COMMANDS if not kind.local)
PAGE: Mapping[type[Command], Mapping[str, Any]] = MappingProxyType({ShowMachines: {"limit": 100}})
"""What is taken where a client does not say how much it wants, so that no answer is without a bound."""


def is_in_path(kind: type[Command], field: str) -> bool:
    """Say whether a field is a part of the route."""
    return f"{{{field}}}" in kind.route


def has_query(kind: type[Command]) -> bool:
    """Say whether the fields are in the query: those of methods whose body means nothing (RFC 9110, 9.3.1 and 9.3.5)."""
    return kind.method in {"GET", "DELETE"}


def fields_of_query(kind: type[Command], pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields that a query gives; raises ValueError for an unknown one, and for one that is given twice and is no list."""
    fields: dict[str, Any] = dict(PAGE.get(kind, {}))
    given: set[str] = set()
    for key, value in pairs:
        if key not in kind.model_fields:
            raise ValueError(f"{key[:40]}: there is no such parameter")
        if is_list(kind, key):
            fields[key] = [*fields.get(key, ()), value]
        elif key in given:
            raise ValueError(f"{key[:40]}: give it once")
        else:
            fields[key] = value
        given.add(key)
    return fields


def is_list(kind: type[Command], key: str) -> bool:
    """Say whether a field is a list."""
    return get_origin(kind.model_fields[key].annotation) is tuple
