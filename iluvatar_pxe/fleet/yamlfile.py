"""YAML 1.2 with the line of every key, and models built from it with ``file:line`` errors."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

ModelT = TypeVar("ModelT", bound=BaseModel)
Node = CommentedMap | CommentedSeq


class Findings:
    """Collects what is wrong with the fleet's files, one ``file:line: …`` line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, file: str, line: int, text: str) -> None:
        """Note one fault; ``line`` counts from 1."""
        self.lines.append(f"{file}:{line}: {text}")


def parse_yaml(file: str, text: str, findings: Findings) -> CommentedMap | None:
    """Return the mapping a file holds (an empty file is an empty one), or None after noting why not."""
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        findings.add(file, line, f"not valid YAML: {error.problem or error.context}; correct it")
        return None
    except (YAMLError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        findings.add(file, 1, f"not valid YAML: {reason[:120]}; correct it")
        return None
    if document is None:
        return CommentedMap()
    if not isinstance(document, CommentedMap):
        findings.add(file, 1, "holds no keys; write 'key: value' lines")
        return None
    return document


def build_model(file: str, document: CommentedMap, model: type[ModelT], findings: Findings) -> ModelT | None:
    """Return ``model`` filled from a document, or None after noting every fault with its line."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False):
            location = fault["loc"]
            findings.add(file, line_of(document, location), _explain(fault["type"], fault["msg"], location))
    except RecursionError:
        findings.add(file, 1, "is nested too deeply; flatten it")
    return None


def line_of(document: Node, location: tuple[int | str, ...]) -> int:
    """Return the line, from 1, of the deepest part of ``location`` that the document has."""
    node: Any = document
    line: int = node.lc.line + 1 if node.lc.line is not None else 1
    for part in location:
        if not isinstance(node, CommentedMap | CommentedSeq) or not _has(node, part):
            break
        line = node.lc.data[part][0] + 1
        node = node[part]
    return line


def _has(node: Node, part: int | str) -> bool:
    if isinstance(node, CommentedSeq):
        return isinstance(part, int) and part < len(node)
    return part in node


def _explain(kind: str, message: str, location: tuple[int | str, ...]) -> str:
    key = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"{key}: no such key; remove it or correct its name"
    if kind == "missing":
        return f"{key}: is missing; add it"
    text = message.removeprefix("Value error, ")
    return f"{key + ': ' if key else ''}{text[0].lower()}{text[1:]}"
