"""A patch file: which parts of which documents it deletes, and what it merges."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from iluvatar_pxe.fleet.yaml.composer import DocumentError, Mark, Marks
from iluvatar_pxe.fleet.yaml.document import Document as MarkedDocument
from iluvatar_pxe.fleet.yaml.document import parse_documents
from iluvatar_pxe.layers.arda.documents import unquoted
from iluvatar_pxe.layers.arda.patching.spot import Spot
from iluvatar_pxe.layers.arda.patching.tables import STRIPPED, UNNAMED
from iluvatar_pxe.values import replace

_NO_PATCH = (
    "is no part of a machine configuration: write the keys that change, as in the configuration itself; "
    "lists of operations (JSON patches, RFC 6902) are not supported"
)
_NO_KIND = "has no kind; write apiVersion: v1alpha1 and kind: above it, or begin with machine: or cluster:"
_NO_VERSION = "has no apiVersion; write apiVersion: v1alpha1 above kind"
_NOTHING = (
    "says nothing of a configuration, and Talos refuses such a patch; write the keys that change, "
    "or apiVersion: v1alpha1 beside kind"
)
_SCALARS_OF_NOTHING = frozenset(["version", "kind", "name"])
_LEGACY = frozenset(["version", "machine", "cluster", "debug", "persist"])
DELETE = ("$patch", "delete")


class Identity(Struct, frozen=True):
    """Which document of a configuration is meant."""

    kind: str
    """Empty for the one with machine and cluster."""
    name: str
    """Empty where the kind has one document."""

    def __str__(self) -> str:
        """Return it in words."""
        return " ".join(filter(None, (self.kind or "the document with machine and cluster", self.name)))


class Deletion(Struct, frozen=True):
    """What is deleted from a document, or the document."""

    document: Identity
    spot: Spot
    item: tuple[str, Any] | None
    """Of a list: a key and its value, which the item has."""
    line: int


class Addition(Struct, frozen=True):
    """What is merged into a document."""

    document: Identity
    written: MarkedDocument


Patch = tuple[Deletion | Addition, ...]
"""Steps, in order."""


def identity_of(document: Mapping[str, Any]) -> Identity:
    """Return which document of a configuration this is."""
    kind = str(document.get("kind") or "")
    return Identity(kind, "" if kind in UNNAMED else str(document.get("name") or ""))


def parse_patch(text: str) -> Patch:
    """Return the steps of a patch file; raises DocumentError, which has the line."""
    written = parse_documents(text, unquoted, _NO_PATCH)
    steps = tuple(step for document in written for step in _steps(document))
    if written and not steps:
        raise DocumentError(written[0].line, _NOTHING)
    return steps


def _steps(written: MarkedDocument) -> Iterator[Deletion | Addition]:
    cleaner = _Cleaner(written)
    rest = cleaner.clean(written.value, written.marks, Spot(f"{written.value.get('kind') or ''}:"))
    yield from cleaner.deletions
    if rest is None or _SCALARS_OF_NOTHING.issuperset(rest[0]):
        return
    value, marks = rest
    if not value.get("kind") and not _LEGACY.intersection(value):
        raise DocumentError(written.line, _NO_KIND)
    if value.get("kind") and not value.get("apiVersion"):
        raise DocumentError(written.line, _NO_VERSION)
    yield Addition(identity_of(value), replace(written, value=value, marks=marks))


class _Cleaner:
    """Takes the deletions out of a document of a patch."""

    def __init__(self, written: MarkedDocument) -> None:
        self._written = written
        self.deletions: list[Deletion] = []

    def clean(self, value: Any, marks: Marks, spot: Spot) -> tuple[Any, Marks] | None:
        """Return what is left of a part, and where that is written; None for nothing."""
        if isinstance(value, Mapping):
            return self._map(value, marks, spot)
        if isinstance(value, tuple):
            return self._list(value, marks, spot)
        return value.lstrip("\t\n\v\f\r") if spot.field in STRIPPED and isinstance(
            value, str
        ) else value, marks

    def _map(self, value: Mapping[str, Any], marks: Marks, spot: Spot) -> tuple[Any, Marks] | None:
        if DELETE in value.items():
            self._delete(value, spot)
            return None
        left = {key: self.clean(part, marks[key].below, spot.key(key)) for key, part in value.items()}
        kept = {key: found for key, found in left.items() if found is not None}
        if value and not kept:
            return None
        return {key: part for key, (part, _) in kept.items()}, _moved(
            {key: (marks[key].line, below) for key, (_, below) in kept.items()}
        )

    def _list(self, value: tuple[Any, ...], marks: Marks, spot: Spot) -> tuple[Any, Marks] | None:
        left = [self.clean(part, marks[index].below, spot.item(index)) for index, part in enumerate(value)]
        kept = [(marks[index].line, *found) for index, found in enumerate(left) if found is not None]
        if value and not kept:
            return None
        return tuple(part for _, part, _ in kept), _moved(
            {index: (line, below) for index, (line, _, below) in enumerate(kept)}
        )

    def _delete(self, value: Mapping[str, Any], spot: Spot) -> None:
        line = self._written.line_of((*spot.location, DELETE[0]))
        item = None
        if spot.field.endswith("[]"):
            item = next(((key, part) for key, part in value.items() if key != DELETE[0]), None)
            if item is None or isinstance(item[1], Mapping | tuple):
                text = "$patch: delete in a list needs a key that tells which item; write it above, with its value"
                raise DocumentError(line, f"{spot.path}: {text}")
        elif any(isinstance(part, int) for part in spot.location):
            text = "nothing below an item of a list can be deleted; delete the item, and add it anew"
            raise DocumentError(line, f"{spot.path}: {text}")
        self.deletions.append(Deletion(self._identity(line, spot), spot, item, line))

    def _identity(self, line: int, spot: Spot) -> Identity:
        whole = self._written.value
        given = [key for key in ("apiVersion", "kind") if whole.get(key)]
        if len(given) == 1 or (not given and not spot.location):
            text = "$patch: delete needs both apiVersion and kind of its document; add them"
            raise DocumentError(line, text)
        return identity_of(whole)


def _moved(marks: Mapping[str | int, tuple[int, Marks]]) -> Marks:
    return {key: Mark(line, below) for key, (line, below) in marks.items()}
