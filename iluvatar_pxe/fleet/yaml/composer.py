"""Builds plain data, with the line of each key, from libyaml's events.

Time and memory are bounded: aliases share their value, but count as if it were written out.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, NoneType
from typing import Any, NamedTuple

from yaml import CBaseLoader
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    StreamEndEvent,
)

from iluvatar_pxe.fleet.yaml.scalars import plain_scalar

MOST_VALUES = 100_000
"""Keys and values of one file."""
MOST_LEVELS = 100
"""Lists and mappings within each other."""
MOST_DOCUMENTS = 1_000
"""Documents of one file."""

_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = ("!", f"{_CORE}str")
_TYPES: Mapping[str, type] = {
    f"{_CORE}null": NoneType,
    f"{_CORE}bool": bool,
    f"{_CORE}int": int,
    f"{_CORE}float": float,
    f"{_CORE}str": str,
    f"{_CORE}seq": tuple,
    f"{_CORE}map": dict,
}
"""The supported tags and their types."""


class DocumentError(Exception):
    """A file cannot be read for what is on one of its lines; ``text`` says what is wrong, and what to do."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


class Mark(NamedTuple):
    """Where a key, or an item of a list, is written."""

    line: int
    """From 1."""
    below: "Marks"
    """Where the parts of its value are."""


Marks = Mapping[str | int, Mark]


class Node(NamedTuple):
    """A part of a document. Aliases share it, so nobody changes it."""

    value: Any
    """A scalar, a tuple, or a dictionary with texts as its keys."""
    marks: Marks = MappingProxyType({})
    height: int = 0
    """How many lists and mappings are within each other."""


class _Anchored(NamedTuple):
    node: Node
    size: int


_NodeEvent = AliasEvent | ScalarEvent | CollectionStartEvent
_Entries = dict[str, tuple[int, Node]]


def compose(text: str) -> tuple[int, Node]:
    """Return the first line and the content of the document that a text holds; where it holds none, null.

    Raises DocumentError, and YAMLError or UnicodeError where libyaml does not understand the text.
    """
    return next(iter(compose_all(text, most=1)), (1, Node(None)))


def compose_all(
    text: str, *, most: int = MOST_DOCUMENTS, scalar: Callable[[str], Any] = plain_scalar
) -> list[tuple[int, Node]]:
    """Return the first line and the content of each document that a text holds, at most so many.

    ``scalar`` says what a text without quotes means. Raises what ``compose`` raises.
    """
    events: Iterator[Any] = iter(CBaseLoader(text).get_event, None)
    composer = _Composer(events, scalar)
    next(events)
    documents: list[tuple[int, Node]] = []
    while not isinstance(event := next(events), StreamEndEvent):
        if len(documents) == most:
            raise DocumentError(_line(event), _too_many(most))
        first = next(events)
        documents.append((_line(first), composer.document(first)))
        next(events)
    return documents


def _too_many(most: int) -> str:
    if most == 1:
        return "a second document begins here; keep one per file"
    return f"has more than {most} documents; shorten it"


class _Composer:
    """Builds nodes from the events of a text."""

    def __init__(self, events: Iterator[Any], scalar: Callable[[str], Any]) -> None:
        self._events = events
        self._scalar = scalar
        self._values = 0
        self._anchors: dict[str, list[_Anchored]] = {}
        """With an empty list until the node is complete."""

    def document(self, first: _NodeEvent) -> Node:
        """Return the document that begins with an event: its anchors are its own, what they expand to counts for all."""
        self._anchors = {}
        return self.node(first, 0)

    def node(self, event: _NodeEvent, level: int) -> Node:
        """Return what begins with an event, inside so many lists and mappings."""
        if isinstance(event, AliasEvent):
            return self._repeated(event, level)
        before = self._values
        self._count(event, 1)
        complete: list[_Anchored] = []
        if event.anchor:
            self._anchors[event.anchor] = complete
        node = self._plain(event) if isinstance(event, ScalarEvent) else self._collection(event, level + 1)
        _refuse_tag(event, node)
        complete.append(_Anchored(node, self._values - before))
        return node

    def _repeated(self, event: AliasEvent, level: int) -> Node:
        complete = self._anchors.get(event.anchor or "")
        if complete is None:
            text = f"not valid YAML: *{event.anchor} is not defined; put &{event.anchor} before it"
            raise DocumentError(_line(event), text)
        if not complete:
            raise DocumentError(_line(event), f"*{event.anchor} refers to itself; write it out")
        ((node, size),) = complete
        self._count(event, size)
        _refuse_height(event, level + node.height)
        return node

    def _count(self, event: _NodeEvent, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES and self._anchors:
            text = f"its anchors (&, *) expand to more than {MOST_VALUES} values; write them out"
            raise DocumentError(_line(event), text)
        if self._values > MOST_VALUES:
            raise DocumentError(_line(event), f"has more than {MOST_VALUES} values; shorten it")

    def _collection(self, event: CollectionStartEvent, level: int) -> Node:
        _refuse_height(event, level)
        return self._mapping(level) if isinstance(event, MappingStartEvent) else self._sequence(level)

    def _plain(self, event: ScalarEvent) -> Node:
        is_text = event.style or event.tag in _TEXT_TAGS
        return Node(event.value if is_text else self._scalar(event.value))

    def _inside(self) -> Iterator[_NodeEvent]:
        """Return the events that begin something, up to the end of the list or mapping."""
        while not isinstance(event := next(self._events), CollectionEndEvent):
            yield event

    def _sequence(self, level: int) -> Node:
        items = [(_line(event), self.node(event, level)) for event in self._inside()]
        return Node(
            tuple(node.value for _, node in items),
            {index: Mark(line, node.marks) for index, (line, node) in enumerate(items)},
            1 + max((node.height for _, node in items), default=0),
        )

    def _mapping(self, level: int) -> Node:
        entries: _Entries = {}
        merges: _Entries = {}
        for event in self._inside():
            key = self._key(event, level)
            found = merges if _is_merge(event) else entries
            if key in found:
                text = f'not valid YAML: found duplicate key "{key}"; remove one of them'
                raise DocumentError(_line(event), text)
            found[key] = _line(event), self.node(next(self._events), level)
        height = max((node.height for _, node in (*entries.values(), *merges.values())), default=0)
        for line, node in merges.values():
            entries = _merged(line, node) | entries
        return Node(
            {key: node.value for key, (_, node) in entries.items()},
            {key: Mark(line, node.marks) for key, (line, node) in entries.items()},
            1 + height,
        )

    def _key(self, event: _NodeEvent, level: int) -> str:
        """Return a key as it is written: ``404`` and ``off`` are names there."""
        node = self.node(event, level)
        key = event.value if isinstance(event, ScalarEvent) else node.value
        if not isinstance(key, str):
            text = "not valid YAML: a key must be text; put it in quotes if it begins with { or ["
            raise DocumentError(_line(event), text)
        return key


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _is_merge(event: _NodeEvent) -> bool:
    return isinstance(event, ScalarEvent) and event.value == "<<" and not event.style


def _merged(line: int, node: Node) -> _Entries:
    """Return what ``<<`` brings in: the entries of a mapping, or of several, of which the first counts most."""
    several = isinstance(node.value, tuple)
    sources = [(node.value, node.marks)]
    if several:
        sources = [(value, node.marks[index].below) for index, value in enumerate(node.value)]
    entries: _Entries = {}
    for value, marks in reversed(sources):
        if not isinstance(value, dict):
            raise DocumentError(line, "not valid YAML: << takes a mapping, or a list of them; correct it")
        entries |= {key: (line, Node(part, marks[key].below)) for key, part in value.items()}
    return entries


def _refuse_tag(event: ScalarEvent | CollectionStartEvent, node: Node) -> None:
    if event.tag in {None, "!"} or type(node.value) is _TYPES.get(event.tag or ""):
        return
    tag = (event.tag or "").replace(_CORE, "!!")
    raise DocumentError(_line(event), f"not valid YAML: the tag {tag} is not allowed here; remove it")


def _refuse_height(event: _NodeEvent, height: int) -> None:
    if height > MOST_LEVELS:
        raise DocumentError(_line(event), f"nested more than {MOST_LEVELS} levels deep; flatten it")
