"""One fleet file: its document, the model built from it, and its faults with their lines.

A fleet is read often with few files changed, so parsed texts are cached.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Document, parse_yaml

Fault = tuple[int, str]
"""A line, from 1, and what is wrong with it; what to do."""

MOST_READINGS = 16_384


class Reading(NamedTuple):
    """The parsed text of one file; immutable, since it is shared by every fleet with that text."""

    document: Document | None
    """None where the text is not a YAML mapping."""
    model: BaseModel | None
    """None where there are faults."""
    faults: tuple[Fault, ...]


@lru_cache(maxsize=MOST_READINGS)
def read_text(text: str, model: type[BaseModel]) -> Reading:
    """Return what a text holds as a model. Depends on nothing else, so an unchanged file is not read again."""
    try:
        document = parse_yaml(text)
    except DocumentError as error:
        return Reading(None, None, ((error.line, error.text),))
    try:
        return Reading(document, model.model_validate(document.value), ())
    except ValidationError as error:
        return Reading(document, None, tuple(_faults(error, document)))


def _faults(error: ValidationError, document: Document) -> Iterator[Fault]:
    for fault in error.errors(include_url=False, include_context=False):
        location = tuple(part for part in fault["loc"] if part != "[key]")  # pydantic's mark of a faulty key
        yield document.line_of(location), _explain(fault, document.spelled(location))


_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "extra_forbidden": "no such key; remove it or correct its name",
        "missing": "is missing; add it",
        "model_type": "has no keys; write 'key: value' lines below it",
        "tuple_type": "input should be a list; write '- item' lines below it, or [item, item]",
    }
)
"""Our message for each pydantic error type."""


def _explain(fault: ErrorDetails, key: str) -> str:
    if text := _TEXTS.get(fault["type"]):
        return f"{key}: {text}"
    if fault["type"] == "string_type" and isinstance(fault["input"], int | float):
        return f"{key}: input should be a valid string; put it in quotes"
    text = fault["msg"].removeprefix("Value error, ")
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}"
