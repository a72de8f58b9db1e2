"""What is wrong with a settings file, in one line."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from iluvatar_pxe.suggest import meant_by

_PASSWORD = re.compile(r"(https?://|://[^/@:]*:)[^@]*@", re.IGNORECASE)
"""By HTTP, the name of a user may be a token."""
_SHOWN = 80
"""Characters of a wrong value that an error shows."""


def first_fault(
    error: ValidationError, model: type[BaseModel], name: str, origin: Mapping[tuple[str, ...], str]
) -> str:
    """Return what is wrong with a file ``name``; ``origin`` says which key came from which variable."""
    return one_line(_first_fault(error, model, name, origin))


def _first_fault(
    error: ValidationError, model: type[BaseModel], name: str, origin: Mapping[tuple[str, ...], str]
) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    location = tuple(str(part) for part in first["loc"])
    key = ".".join(location[:2])
    where = origin.get(location[:2], f"{name}: {key}")
    if first["type"] == "extra_forbidden":
        meant = meant_by(location[-1], _keys_beside(model, location))
        remedy = f"did you mean {meant}?" if meant else "remove it or correct its name (see docs/settings.md)"
        return f"{where}: no such setting; {remedy}"
    return f"{where}: {_fault(first['type'], first['msg'])}, but it is {_shown(first['input'])}; correct it"


def _keys_beside(model: type[BaseModel], location: tuple[str, ...]) -> Iterable[str]:
    section = model.model_fields[location[0]].annotation if len(location) > 1 else model
    return section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else ()


def _fault(kind: str, message: str) -> str:
    if kind == "tuple_type":
        return 'input should be a list such as ["a", "b"]'
    if kind == "model_type":
        return "input should be a section with keys of its own"
    text = message.removeprefix("Value error, ")
    return f"{text[0].lower()}{text[1:]}"


def _shown(value: Any) -> str:
    try:
        return _PASSWORD.sub(r"\1…@", json.dumps(value, default=str))[:_SHOWN]
    except RecursionError:
        return "nested too deeply"


def one_line(text: str) -> str:
    """Write out what would break the line: a key may hold any character."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
