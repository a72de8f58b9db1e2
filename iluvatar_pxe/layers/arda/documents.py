"""A Talos machine configuration as the values of its YAML documents, and the contract that it is written for. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Self

import yaml

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.yaml.document import parse_documents
from iluvatar_pxe.fleet.yaml.scalars import plain_scalar

Document = Mapping[str, Any]
"""One document: dictionaries with texts as keys, lists, and scalars. Nobody changes one; whoever needs another makes it."""

NO_MAPPING = "is no document of a machine configuration; write 'key: value' lines"
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+"
    r"|(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
"""What Talos' YAML library takes for a number, once ``_`` is left out."""


class Contract(StrEnum):
    """The version of Talos that a configuration is written for: which fields and kinds it has."""

    V1_13 = "v1.13"
    V1_14 = "v1.14"

    @classmethod
    def of(cls, version: str) -> Self:
        """Return the contract of a version of Talos, such as ``v1.13.9``; raises ConfigurationError."""
        for contract in cls:
            if version == contract or version.startswith(f"{contract}."):
                return contract
        known = " and ".join(cls)
        raise ConfigurationError(
            f"Talos {version}: only {known} can be configured; choose a version of these"
        )


class Unquoted(str):
    """A number in an unusual spelling, such as ``0644`` or ``1.10``.

    It stays as it is written, since its field says what that means: 420 for a mode, the text itself for a label.
    """

    __slots__ = ()


def unquoted(text: str) -> Any:
    """Return what a text without quotes means to Talos; ``off``, ``yes`` and dates are texts."""
    value = plain_scalar(text)
    is_usual = not _is_number(text) or repr(value) == text.replace(".0e", "e")
    return value if is_usual else Unquoted(text)


def load_documents(text: str) -> tuple[Document, ...]:
    """Return the documents of a configuration, without empty ones; raises DocumentError, which has the line."""
    return tuple(changeable(found.value) for found in parse_documents(text, unquoted, NO_MAPPING))


def dump_documents(documents: Iterable[Document]) -> str:
    """Return the text of a configuration. Keys keep their order, and texts of several lines are literal blocks."""
    plain = [changeable(document) for document in documents]
    text: str = yaml.dump_all(
        plain,
        Dumper=_Dumper,
        explicit_start=len(plain) > 1,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        indent=4,
        width=1_000_000,
    )
    return text.removeprefix("---\n")


def changeable(value: Any) -> Any:
    """Return a copy of a value, of dictionaries and lists that belong to nobody else."""
    if isinstance(value, Mapping):
        return {key: changeable(part) for key, part in value.items()}
    return [changeable(part) for part in value] if isinstance(value, list | tuple) else value


def _is_number(text: str) -> bool:
    return not text.startswith("_") and _NUMBER.fullmatch(text.replace("_", "")) is not None


class _Dumper(yaml.CSafeDumper):
    """Writes what Talos' YAML library reads as the same, and PyYAML as well."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        del data
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if _is_number(text) or not isinstance(plain_scalar(text), str):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _number(dumper: _Dumper, text: Unquoted) -> yaml.ScalarNode:
    resolve: Callable[..., str] = dumper.resolve
    return dumper.represent_scalar(resolve(yaml.ScalarNode, str(text), (True, False)), str(text))


_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(str, _text)
_Dumper.add_representer(Unquoted, _number)
