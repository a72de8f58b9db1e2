"""How JSON Schema's words are meant where a schema says what Talos takes. Pure."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from iluvatar_pxe.layers.arda.documents import Unquoted

_BOOLEAN_WORDS = frozenset(["y", "Y", "yes", "on", "n", "N", "no", "off"])
_LONGEST = 1_000
"""Characters of a text that has to have a form: some forms take long to find that a text lacks them."""


def _is_text(_checker: object, value: object) -> bool:
    """Talos takes a number, or true and false, for the text that is written."""
    return isinstance(value, str | int | float)


def _is_integer(_checker: object, value: object) -> bool:
    if isinstance(value, Unquoted):
        return not re.search(r"[.eE]", value.lower().removeprefix("0x"))
    return isinstance(value, int) and not isinstance(value, bool)


def _is_boolean(_checker: object, value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value in _BOOLEAN_WORDS)


def _pattern(_validator: Validator, form: str, value: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str | int | float):
        text = str(value)
        if text and (len(text) > _LONGEST or not _compiled(form).search(text)):
            yield ValidationError(form)


def _enum(
    _validator: Validator, words: list[Any], value: object, _schema: object
) -> Iterator[ValidationError]:
    if str(value) not in map(str, words):
        yield ValidationError("")


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form)


_extend: Callable[..., type[Validator]] = extend
Strict = _extend(
    Draft202012Validator,
    {"pattern": _pattern, "enum": _enum, "oneOf": Draft202012Validator.VALIDATORS["anyOf"]},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"string": _is_text, "integer": _is_integer, "boolean": _is_boolean}
    ),
)
