"""Values never change: where some fields are to be others, another value is made."""

import dataclasses
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

__all__ = ["replace"]

if TYPE_CHECKING:
    from dataclasses import replace  # mypy checks the fields of a Struct, too
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """Return a copy of a Struct or a dataclass, with these fields changed."""
        if isinstance(value, Struct):
            return structs.replace(value, **changes)
        return dataclasses.replace(value, **changes)
