"""Talos' schemas, read from the package's data when they are first asked for."""

from functools import cache

from iluvatar_pxe.layers.arda.documents import Contract
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.resources import read_talos_schema


@cache
def schema_of(contract: Contract) -> Schema:
    """Return the schema of a version; blocks the first time. Raises OSError."""
    return Schema(contract, *read_talos_schema(contract))
