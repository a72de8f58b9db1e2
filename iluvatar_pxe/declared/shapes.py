"""Texts that match a pattern: for the daemon, which checks them, and for editors, by JSON Schema."""

import re
from typing import Any

from msgspec import Struct
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Shape(Struct, frozen=True):
    """A text that matches ``pattern`` from end to end, in ASCII; ``remedy`` says what to write otherwise.

    The pattern means the same in JavaScript.
    """

    pattern: str
    remedy: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check a text after all that stands before this in its type."""
        shape = re.compile(self.pattern, re.ASCII)

        def check(value: str) -> str:
            if not shape.fullmatch(value):
                raise ValueError(self.remedy)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell editors the same."""
        return handler(schema) | _told(self.pattern, self.remedy)


def hint(pattern: str, remedy: str, **keywords: Any) -> WithJsonSchema:
    """Return what editors are told of a text that is checked by other means: it matches ``pattern`` if it is valid."""
    return WithJsonSchema({"type": "string", **_told(pattern, remedy), **keywords})


def _told(pattern: str, remedy: str) -> dict[str, str]:
    """``patternErrorMessage`` is VS Code's own: what it says in place of the pattern."""
    return {"pattern": f"^(?:{pattern})$", "patternErrorMessage": remedy}
