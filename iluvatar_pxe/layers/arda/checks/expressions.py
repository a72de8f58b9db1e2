"""Whether an expression of the Common Expression Language (CEL) can be read: brackets, texts, operators and names. Pure.

Types, and what functions there are, are not looked at.
"""

import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from iluvatar_pxe.layers.arda.checks.variables import Names
from iluvatar_pxe.layers.arda.schema import Finding

_TOKENS = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''))
    |(?P<line>[rR][bB]?(?:"[^"\n]*"|'[^'\n]*')|[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]+`)
    |(?P<operator>\|\||&&|==|!=|<=|>=|[<>+*/%\-!?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_BINARY = frozenset(["||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "in"])
_MACROS = frozenset(
    ["all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap"]
)
_ALWAYS = frozenset(["true", "false", "null"]) | frozenset(
    ["bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint", "google"]
)
_END = "ends too early; complete it"


@dataclass
class _Bracket:
    opened: str
    follows_name: bool = False
    """Whether it has the arguments of a function, or the fields of a message."""
    waiting: int = 0
    """Question marks whose colon is still to come."""


@dataclass
class _Reader:
    """Goes through the tokens once: after an operand comes an operator, and after that an operand."""

    names: Names
    local: AbstractSet[str]
    open: list[_Bracket] = field(default_factory=lambda: [_Bracket("")])
    after: str = ""
    """The word before."""
    is_operand: bool = False
    """Whether an operand has ended there."""
    is_name: bool = False
    root: str = ""

    def read(self, kind: str, word: str) -> str:
        """Return what is wrong with the next word; empty if nothing is."""
        text = self._operator(kind, word) if self.is_operand else self._operand(kind, word)
        self.after = word
        return text

    def end(self) -> str:
        """Return what is wrong with the end."""
        return _END if not self.is_operand or len(self.open) > 1 or self.open[0].waiting else ""

    def _operand(self, kind: str, word: str) -> str:
        if kind == "name" and word != "in":
            return self._name(word)
        if kind != "operator":
            self.is_operand, self.is_name, self.root = kind != "name", False, ""
            return "" if self.is_operand and self.after != "." else self._unexpected(word)
        if word in _PAIRS and self.after != ".":
            self.open.append(_Bracket(word))
            return ""
        if word in _PAIRS.values() and self._may_be_empty():
            return self._close(word)
        is_optional = word == "?" and self.after in {".", "[", "{", ","}
        is_unary = word in {"!", "-", "."} and self.after != "."
        return "" if is_unary or is_optional else self._unexpected(word)

    def in_message(self) -> bool:
        """Say whether names may be those of a message's fields."""
        return self.open[-1].opened == "{" and self.open[-1].follows_name

    def _may_be_empty(self) -> bool:
        bracket = self.open[-1]
        if self.after == ",":
            return bracket.opened != "("
        return (
            bool(bracket.opened)
            and self.after == bracket.opened
            and (bracket.opened != "(" or bracket.follows_name)
        )

    def _name(self, word: str) -> str:
        is_member = self.after == "." or (self.after == "?" and self.root == ".?")
        known = self.names.fields.get(self.root) if is_member and self.root not in self.local else None
        text = ""
        if known is not None and word.strip("`") not in known:
            text = f"{self.root} has no {word[:40]}; write one of {', '.join(sorted(known))}"
        self.root = "" if is_member else word
        self.is_operand = self.is_name = True
        return text

    def unknown(self, word: str) -> str:
        """Return what is wrong with a name that nothing is called on and that is no member."""
        if word in self.local or word in self.names.variables or word in _ALWAYS:
            return ""
        return f"{word[:40]} is not known; write one of {', '.join(sorted(self.names.variables))}"

    def _operator(self, kind: str, word: str) -> str:
        if word == "." and kind == "operator":
            self.is_operand = False
            return ""
        if word in _BINARY or (word == "?" and kind == "operator"):
            self.open[-1].waiting += word == "?"
            self.is_operand, self.root = False, ""
            return ""
        if word in {"(", "{", "["} and kind == "operator" and (word == "[" or self.is_name):
            self.open.append(_Bracket(word, follows_name=word != "["))
            self.is_operand, self.root = False, ""
            return ""
        return self._separator(kind, word)

    def _separator(self, kind: str, word: str) -> str:
        bracket = self.open[-1]
        if kind == "operator" and word in _PAIRS.values():
            return self._close(word)
        is_colon = word == ":" and (bracket.waiting or bracket.opened == "{")
        is_comma = (
            word == "," and not bracket.waiting and (bracket.opened in {"[", "{"} or bracket.follows_name)
        )
        if kind != "operator" or not (is_colon or is_comma):
            return self._unexpected(word)
        bracket.waiting -= bool(is_colon and bracket.waiting)
        self.is_operand, self.root = False, ""
        return ""

    def _close(self, word: str) -> str:
        bracket = self.open[-1]
        if _PAIRS.get(bracket.opened) != word or bracket.waiting:
            return self._unexpected(word)
        self.open.pop()
        self.is_operand, self.is_name, self.root = True, False, ""
        return ""

    def _unexpected(self, word: str) -> str:
        return f"{word[:40]} cannot be there; correct the expression"


def fault_of(expression: str, names: Names) -> str:
    """Return why Talos could not read an expression, and what to do; empty if it could, as far as this looks."""
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(expression):
        found = _TOKENS.match(expression, place)
        if found is None:
            return f"{expression[place]} cannot be there; close the text, or correct the expression"
        place = found.end()
        if found.lastgroup not in {None, "space"}:
            tokens.append((str(found.lastgroup), found[0]))
    return next(filter(None, _faults(tokens, names)), "")


def _faults(tokens: list[tuple[str, str]], names: Names) -> Iterator[str]:
    reader = _Reader(names, frozenset(_locals(tokens)))
    for index, (kind, word) in enumerate(tokens):
        is_member = reader.after in {".", "?"} and index > 0
        follows = tokens[index + 1][1] if index + 1 < len(tokens) else ""
        yield reader.read(kind, word)
        is_field = follows == ":" and reader.in_message()
        if kind == "name" and word != "in" and not (is_member or is_field or follows in {"(", "{"}):
            yield reader.unknown(word)
    yield reader.end()


def _locals(tokens: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the names that macros such as ``exists(name, …)`` give to items."""
    texts = [word for _, word in tokens]
    for index, text in enumerate(texts):
        if text in _MACROS and texts[index + 1 : index + 2] == ["("] and texts[index - 1 : index] == ["."]:
            given = texts[index + 2 : index + 6]
            yield from (name for name, comma in zip(given[::2], given[1::2], strict=False) if comma == ",")


def is_expression(names: Names) -> Callable[[Any], Iterator[Finding]]:
    """Return a check of an expression."""

    def found(value: Any) -> Iterator[Finding]:
        if isinstance(value, str) and value.strip() and (text := fault_of(value, names)):
            yield (), f"is no expression that Talos can read: {text}"

    return found
