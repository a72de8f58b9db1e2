"""The base class of the models of files that people write."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


def _given(value: Any) -> Any:
    if value is None:
        raise ValueError("selects nothing; write keys below it, or remove it")
    return value


GIVEN = BeforeValidator(_given)
"""Of a key that holds a ``Selector``: what is not there selects more than what is empty."""


class Model(BaseModel):
    """Immutable; knows its keys, in camelCase, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        """A key whose lines are all commented out is as if it were not there."""
        if not isinstance(data, Mapping) or None not in data.values():
            return data
        known = {info.alias for info in cls.model_fields.values() if GIVEN not in info.metadata}
        return {key: value for key, value in data.items() if value is not None or key not in known}


class Selector(Model):
    """Selects by all of its keys that are given: each one that is missing has it select more."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        """A key whose lines are commented out is a mistake here."""
        if isinstance(data, Mapping):
            keys = (info.alias for info in cls.model_fields.values())
            if empty := next((key for key in keys if key in data and data[key] is None), None):
                raise ValueError(f"{empty} has no value; write one, or remove {empty}")
        return data
