"""One fleet file: its document, the model built from it, and its faults with their lines.

A fleet is read often with few files changed, so parsed texts are cached.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Document, parse_yaml
from iluvatar_pxe.suggest import meant_by

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
        return Reading(document, None, tuple(_faults(error, document, model)))


def _faults(error: ValidationError, document: Document, model: type[BaseModel]) -> Iterator[Fault]:
    for fault in error.errors(include_url=False, include_context=False):
        location = tuple(part for part in fault["loc"] if part != "[key]")  # pydantic's mark of a faulty key
        meant = None
        if fault["type"] == "extra_forbidden":
            meant = meant_by(str(location[-1]), _keys_beside(location, model))
        yield document.line_of(location), _explain(fault, document.spelled(location), meant)


def _keys_beside(location: tuple[int | str, ...], model: type[BaseModel]) -> Iterator[str]:
    """Yield the keys that a mapping of the file may have, where it has one that it may not have."""
    models = [model]
    for part in location[:-1]:
        fields = [
            field for one in models for name, field in one.model_fields.items() if part in {name, field.alias}
        ]
        inner = [one for field in fields for one in _models_in(field.annotation)]
        models = inner or models  # a number or a name within a list or a mapping of models
    for one in models:
        yield from (field.alias or name for name, field in one.model_fields.items())


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "extra_forbidden": "no such key; remove it or correct its name",
        "missing": "is missing; add it",
        "model_type": "has no keys; write 'key: value' lines below it",
        "tuple_type": "input should be a list; write '- item' lines below it, or [item, item]",
    }
)
"""Our message for each pydantic error type."""


def _explain(fault: ErrorDetails, key: str, meant: str | None) -> str:
    if meant:
        return f"{key}: no such key; did you mean {meant}?"
    if text := _TEXTS.get(fault["type"]):
        return f"{key}: {text}"
    if fault["type"] == "string_type" and isinstance(fault["input"], int | float):
        return f"{key}: input should be a valid string; put it in quotes"
    text = fault["msg"].removeprefix("Value error, ")
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}"
