"""What the source says of each key of a model, in the string below it.

Pydantic reads that itself, with ``use_attribute_docstrings``, but whenever a class is made: a fifth of what the daemon
takes to start. Only schemas for editors tell it.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def docstrings(model: type[BaseModel]) -> Mapping[str, str]:
    """Return what is said of a model's fields, by their names; of an inherited one, where it is declared last."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        found |= _of_module(each.__module__).get(each.__qualname__, {}) if issubclass(each, BaseModel) else {}
    return found


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    return {node.name: dict(_of_class(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _of_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for key, told in pairwise(node.body):
        match key, told:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
