"""YAML 1.2 with the line of every key, and models built from it with ``file:line`` errors."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

ModelT = TypeVar("ModelT", bound=BaseModel)
Node = CommentedMap | CommentedSeq
Location = tuple[int | str, ...]
"""The keys and indexes that lead to a part of a document."""

MOST_BRACKETS = 100
"""That may be open at once: ruamel.yaml's time grows with their square, and a reload is not to take minutes."""

_GONE: Mapping[Location, str] = MappingProxyType({("unlisted",): "write rules instead; see docs/fleet.md"})
"""Keys of earlier versions, and what replaces them."""

_OTHER_YAML = re.compile(r"^%YAML\s(?!\s*1\.2\s*$)", re.MULTILINE)
_BRACKETS = re.compile(r"[\[\]{}]")
_LOADER_BUGS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    NotImplementedError,
)
"""What ruamel.yaml raises besides its own errors, for instance where a tag does not fit what it stands before."""


class Findings:
    """Collects what is wrong with the fleet's files, one ``file:line: …`` line each."""

    def __init__(self) -> None:
        self._faults: list[tuple[str, int, str]] = []

    def add(self, file: str, line: int, text: str) -> None:
        """Note one fault; ``line`` counts from 1."""
        self._faults.append((file, line, printable(f"{file}:{line}: {text}")))

    @property
    def lines(self) -> list[str]:
        """The faults, by file and line."""
        return list(dict.fromkeys(text for *_, text in sorted(self._faults)))


def printable(text: str) -> str:
    """Write out what would break a line: names and values may hold any character."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def parse_yaml(file: str, text: str, findings: Findings) -> CommentedMap | None:
    """Return the mapping a file holds (an empty file is an empty one), or None after noting why not."""
    if directive := _OTHER_YAML.search(text):
        line = text.count("\n", 0, directive.start()) + 1
        findings.add(file, line, "is not YAML 1.2, in which 'off' is text; remove the %YAML line")
        return None
    if too_deep := _line_nested_too_deeply(text):
        findings.add(file, too_deep, f"more than {MOST_BRACKETS} brackets are open here; flatten it")
        return None
    try:
        document = _loader().load(text)
    except (YAMLError, RecursionError, *_LOADER_BUGS) as error:
        line, reason = _fault_of(error, text)
        findings.add(file, line, f"not valid YAML: {reason}; correct it")
        return None
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        findings.add(file, 1, "holds no keys; write 'key: value' lines")
        return None
    return document


def _line_nested_too_deeply(text: str) -> int | None:
    """Return the line that opens one bracket too many; brackets in texts and comments count, too."""
    depth = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > MOST_BRACKETS:
            return text.count("\n", 0, bracket.start()) + 1
    return None


def _fault_of(error: Exception, text: str) -> tuple[int, str]:
    """Return the line that a YAML error is in, from 1, and what is wrong."""
    if isinstance(error, MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return line, error.problem or error.context or "not understood"
    if isinstance(error, ReaderError):
        return text.count("\n", 0, error.position) + 1, error.reason
    if isinstance(error, RecursionError):
        return 1, "nested too deeply"
    return 1, (str(error).partition("\n")[0] or type(error).__name__)[:120]


def _loader() -> YAML:
    loader = YAML(typ="rt")
    loader.composer.warn_double_anchors = False  # YAML allows it, and the warning is no line of log
    return loader


def build_model(file: str, document: CommentedMap, model: type[ModelT], findings: Findings) -> ModelT | None:
    """Return ``model`` filled from a document, or None after noting every fault with its line."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False):
            location = tuple(
                part for part in fault["loc"] if part != "[key]"
            )  # pydantic's mark of a faulty key
            text = _explain(fault, location, _spelled(document, location))
            findings.add(file, line_of(document, location), text)
    except RecursionError:
        findings.add(file, 1, "is nested too deeply; flatten it")
    return None


def line_of(document: Node, location: Location) -> int:
    """Return the line, from 1, of the deepest part of ``location`` that the document has."""
    node: Any = document
    line: int = node.lc.line + 1 if node.lc.line is not None else 1
    for part in location:
        if not _has(node, part):
            break
        place = (node.lc.data or {}).get(part)  # a key that a merge (<<) brought in has none here
        line = place[0] + 1 if place else line
        node = node[part]
    return line


def part_of(document: Node, location: Location) -> Any:
    """Return the part of a document that ``location`` leads to, or None."""
    node: Any = document
    for part in location:
        if not _has(node, part):
            return None
        node = node[part]
    return node


def _has(node: Any, part: int | str) -> bool:
    if isinstance(node, CommentedSeq):
        return isinstance(part, int) and part < len(node)
    return isinstance(node, CommentedMap) and part in node


def _spelled(document: Node, location: Location) -> str:
    """Return a location in words: items are counted from 1, and a single value in place of a list has no number."""
    words = []
    for depth, part in enumerate(location):
        node = part_of(document, location[:depth])
        if isinstance(part, int) and isinstance(node, CommentedSeq):
            words.append(str(part + 1))
        elif isinstance(part, str) or isinstance(node, CommentedMap):
            words.append(str(part))
    return ".".join(words)


def _explain(fault: ErrorDetails, location: Location, key: str) -> str:
    if location in _GONE:
        return f"{key}: {_GONE[location]}"
    if fault["type"] == "extra_forbidden":
        return f"{key}: no such key; remove it or correct its name"
    if fault["type"] == "missing":
        return f"{key}: is missing; add it"
    if fault["type"] == "model_type":
        return f"{key}: holds no keys; write 'key: value' lines below it"
    if fault["type"] == "string_type" and isinstance(fault["input"], int | float):
        return f"{key}: input should be a valid string; put it in quotes"
    text = fault["msg"].removeprefix("Value error, ")
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}"
