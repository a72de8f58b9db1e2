"""The fleet's files as documents of YAML 1.2, and what is wrong with them, by file and line."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from yaml import YAMLError
from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from iluvatar_pxe.fleet.yaml.composer import DocumentError, Marks, Node, compose, compose_all
from iluvatar_pxe.fleet.yaml.plain import read_plain
from iluvatar_pxe.printable import printable

Location = tuple[int | str, ...]
"""The path of keys and indexes to a part of a document."""

_DIRECTIVE = re.compile(r"(?<![^\n\r\x85\u2028\u2029])%(YAML|TAG)\s(?!\s*1\.2\s*$)", re.MULTILINE)
_DIRECTIVES: Mapping[str, str] = {
    "YAML": "only YAML 1.2 is supported; remove the %YAML line",
    "TAG": "tags are not supported; remove the %TAG line",
}
"""What is wrong with them; and libyaml's time grows with the square of the number of %TAG lines."""
_LONGEST_TEXT = 500
_LONGEST_WORD = 40
"""Characters shown of a fault: a key or value may be as long as its file, and aliases may repeat it."""


class Findings:
    """Collects the faults of the fleet's files, one ``file:line: …`` line each."""

    def __init__(self) -> None:
        self._faults: list[tuple[str, int, str]] = []

    def __len__(self) -> int:
        """Count the faults."""
        return len(self._faults)

    def add(self, file: str, line: int, text: str) -> None:
        """Note one fault; ``line`` counts from 1."""
        self._faults.append((file, line, printable(f"{file}:{line}: {text[:_LONGEST_TEXT]}")))

    @property
    def lines(self) -> list[str]:
        """The faults, by file and line."""
        return list(dict.fromkeys(text for *_, text in sorted(self._faults)))


class Document(Struct, frozen=True):
    """What a file holds, as plain data that nobody changes, and where that is written."""

    value: Mapping[str, Any]
    """Scalars, tuples and dictionaries with texts as their keys."""
    line: int
    marks: Marks

    def line_of(self, location: Location) -> int:
        """Return the line, from 1, of the deepest part of ``location`` that the document has."""
        line, marks = self.line, self.marks
        for part in location:
            if part not in marks:
                break
            line, marks = marks[part]
        return line

    def part_of(self, location: Location) -> Any:
        """Return the part of the document that ``location`` leads to, or None."""
        node: Any = self.value
        marks = self.marks
        for part in location:
            if part not in marks:
                return None
            node, marks = node[part], marks[part].below
        return node

    def spelled(self, location: Location) -> str:
        """Return a location in words: items count from 1, and a single value in place of a list has no number."""
        words = []
        for depth, part in enumerate(location):
            if isinstance(part, str):
                words.append(part[:_LONGEST_WORD])
            elif isinstance(self.part_of(location[:depth]), tuple):
                words.append(str(part + 1))
        return ".".join(words)


def parse_yaml(text: str) -> Document:
    """Return the mapping that a text holds, an empty one if it holds nothing; raises DocumentError."""
    if (found := read_plain(text)) is None:
        with _faults_named(text):
            found = compose(text)
    line, node = found
    return _mapping(line, node, "has no keys; write 'key: value' lines") or Document({}, line, {})


def parse_documents(text: str, scalar: Callable[[str], Any], no_mapping: str) -> tuple[Document, ...]:
    """Return the mappings that the documents of a text hold, without empty ones; raises DocumentError.

    ``scalar`` says what a text without quotes means, ``no_mapping`` what is wrong with a document that is no mapping.
    """
    with _faults_named(text):
        nodes = compose_all(text, scalar=scalar)
    found = [_mapping(line, node, no_mapping) for line, node in nodes]
    return tuple(document for document in found if document)


def _mapping(line: int, node: Node, otherwise: str) -> Document | None:
    if not isinstance(node.value, dict | None):
        raise DocumentError(line, otherwise)
    return None if node.value is None else Document(node.value, line, node.marks)


@contextmanager
def _faults_named(text: str) -> Iterator[None]:
    """Raise all that is wrong with a text as DocumentError."""
    if directive := _DIRECTIVE.search(text):
        raise DocumentError(text.count("\n", 0, directive.start()) + 1, _DIRECTIVES[directive[1]])
    try:
        yield
    except (YAMLError, UnicodeError) as error:
        line, reason = _fault_of(error, text)
        raise DocumentError(line, f"not valid YAML: {reason}; correct it") from error


def _fault_of(error: YAMLError | UnicodeError, text: str) -> tuple[int, str]:
    """Return the line, from 1, of what libyaml does not understand, and why not."""
    if isinstance(error, MarkedYAMLError):
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        last = len(f"{text}.".splitlines())  # libyaml takes the end of the last line for one more
        return min(line, last), error.problem or error.context or "not understood"
    if isinstance(error, ReaderError):
        return text.encode().count(b"\n", 0, error.position) + 1, error.reason
    if isinstance(error, UnicodeEncodeError):
        return text.count("\n", 0, error.start) + 1, "an unpaired surrogate"
    return 1, "a tag is not UTF-8"
