"""Which disk a configuration chooses, by Talos' rules: the first that matches."""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from support.talos.hardware import Disk

SIZES = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.Mult: operator.mul,
}
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}


class SelectorError(Exception):
    """An expression that Talos would not compile, or that this part of CEL does not have."""


def first_match(disks: list[Disk], expression: str) -> Disk | None:
    """Return the first disk of which a CEL expression over ``disk`` is true."""
    return next((disk for disk in disks if matches(disk, expression)), None)


def matches(disk: Disk, expression: str) -> bool:
    tree = ast.parse(_as_python(expression), mode="eval")
    value = _value(tree.body, disk)
    if not isinstance(value, bool):
        raise SelectorError(f"no condition: {expression}")
    return value


def first_of_1_13(disks: list[Disk], install: Mapping[str, Any]) -> Disk | None:
    """Return the disk of ``machine.install``: ``disk`` by its path, else the first of ``diskSelector``."""
    if path := install.get("disk"):
        return next((disk for disk in disks if disk.dev_path == path), None)
    selector = install.get("diskSelector") or {}
    return next((disk for disk in disks if not disk.readonly and _has_all(disk, selector)), None)


def _has_all(disk: Disk, selector: Mapping[str, Any]) -> bool:
    return all(_has(disk, key, wanted) for key, wanted in selector.items())


def _has(disk: Disk, key: str, wanted: Any) -> bool:
    if key == "type":
        return str(wanted) == _type_of(disk)
    if key == "size":
        return _has_size(disk, str(wanted))
    names = {"name": "dev_path", "busPath": "bus_path"}
    return fnmatchcase(str(getattr(disk, names.get(key, key))), str(wanted))


def _type_of(disk: Disk) -> str:
    if disk.transport == "nvme":
        return "nvme"
    return "hdd" if disk.rotational else "ssd"


def _has_size(disk: Disk, wanted: str) -> bool:
    found = re.fullmatch(r"(<=|>=|==|<|>)?\s*([\d.]+)\s*([KMGT]i?B)?", wanted)
    if found is None:
        raise SelectorError(f"no size: {wanted}")
    compare = _COMPARED[found[1] or "=="]
    return bool(compare(disk.size, float(found[2]) * SIZES.get(found[3], 1)))


def _as_python(expression: str) -> str:
    spelled = expression.replace("&&", " and ").replace("||", " or ")
    spelled = re.sub(r"!(?!=)", " not ", spelled)
    spelled = re.sub(r"\b(\d+)u\b", r"\1", spelled)
    return re.sub(r"\b(true|false)\b", lambda word: word[0].title(), spelled).strip()


def _value(node: ast.expr, disk: Disk) -> Any:  # noqa: C901, PLR0911  # one case for each form
    match node:
        case ast.BoolOp(op=ast.And()):
            return all(_value(part, disk) for part in node.values)
        case ast.BoolOp():
            return any(_value(part, disk) for part in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, disk)
        case ast.Compare(ops=[comparison]):
            return _OPERATORS[type(comparison)](_value(node.left, disk), _value(node.comparators[0], disk))
        case ast.BinOp(op=ast.Mult()):
            return _value(node.left, disk) * _value(node.right, disk)
        case ast.Constant():
            return node.value
        case ast.List():
            return [_value(part, disk) for part in node.elts]
        case ast.Name(id=name) if name in SIZES:
            return SIZES[name]
        case ast.Attribute(value=ast.Name(id="disk"), attr=name) if hasattr(disk, name):
            return getattr(disk, name)
        case ast.Call(func=ast.Attribute(value=subject, attr=name), args=[argument]) if name in _METHODS:
            return _METHODS[name](_value(subject, disk), _value(argument, disk))
    raise SelectorError(f"not understood: {ast.unparse(node)}")
