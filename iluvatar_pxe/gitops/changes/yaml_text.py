"""YAML that keeps a person's comments and quotes, by ruamel.yaml: 1.4 MiB, which is loaded when a file is first written."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ruamel.yaml import YAML

_WIDE = 4096
"""Columns: nothing is folded."""


def quoted(text: str) -> str:
    """Return a text that is written in double quotes."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString  # noqa: PLC0415 - see above

    in_quotes: str = DoubleQuotedScalarString(text)
    return in_quotes


def loaded(text: str) -> Any:
    """Return a file as it can be edited and dumped again, comments kept; raises ValueError."""
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - see above

    try:
        return _yaml().load(text)
    except YAMLError as error:
        raise ValueError(str(error)) from error


def dumped(document: Mapping[str, Any]) -> str:
    """Return a file's text; one that was loaded keeps its comments. Raises ValueError."""
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - see above

    writer = _yaml()
    writer.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    try:
        writer.dump(document, written)
    except YAMLError as error:
        raise ValueError(str(error)) from error
    return written.getvalue()


def _yaml() -> "YAML":
    from ruamel.yaml import YAML  # noqa: PLC0415 - see above

    writer = YAML()
    writer.preserve_quotes = True
    writer.width = _WIDE
    return writer
