"""YAML that keeps a person's comments and quotes, by ruamel.yaml: 1.4 MiB, which is loaded when a file is first written."""

import io
from collections.abc import Mapping
from types import ModuleType
from typing import Any

_WIDE = 4096
"""Columns: nothing is folded."""


def quoted(text: str) -> str:
    """Return a text that is written in double quotes."""
    in_quotes: str = _library().scalarstring.DoubleQuotedScalarString(text)
    return in_quotes


def loaded(text: str) -> Any:
    """Return a file as it can be edited and dumped again, comments kept; raises ValueError."""
    try:
        return _editor().load(text)
    except _library().YAMLError as error:
        raise ValueError(str(error)) from error


def dumped(document: Mapping[str, Any]) -> str:
    """Return a file's text; one that was loaded keeps its comments. Raises ValueError."""
    writer = _editor()
    writer.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    try:
        writer.dump(document, written)
    except _library().YAMLError as error:
        raise ValueError(str(error)) from error
    return written.getvalue()


def _editor() -> Any:
    editor = _library().YAML()
    editor.preserve_quotes = True
    editor.width = _WIDE
    return editor


def _library() -> ModuleType:
    from ruamel import yaml  # noqa: PLC0415 - see above

    return yaml
