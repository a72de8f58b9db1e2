"""The base class of the models of files that people write."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Immutable; knows its keys, in camelCase, and no others."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        """A key whose lines are all commented out is as if it were not there."""
        if not isinstance(data, Mapping):
            return data
        known = {info.alias for info in cls.model_fields.values()}
        return {key: value for key, value in data.items() if value is not None or key not in known}
