"""``machines/NAME.yaml``, as the daemon writes it; and a role put into one that a person wrote."""

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from iluvatar_pxe.fleet.models import Boot
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Role

_HEAD = "# Written by iluvatar-pxe when this machine joined. It is yours now: change what you like but its cards.\n"
_WIDE = 4096
"""Columns: nothing is folded."""


def machine_path(name: str) -> str:
    """Return the path of a machine's file."""
    return f"machines/{name}.yaml"


def new_machine_file(machine: Machine, given: Assignment, options: Boot) -> bytes:
    """Return the file of a machine that joins; ``options`` are its rule's, which speaks of it no longer."""
    document: dict[str, Any] = {
        "match": {"macs": [DoubleQuotedScalarString(mac) for mac in machine.macs]},
        "layer": given.layer.value,
        "role": given.role.value,
        **_options(options),
        "seen": _seen(machine, given),
    }
    return (_HEAD + _dumped(document)).encode()


def with_role(text: str, role: Role) -> bytes:
    """Return a machine's file with its role in it, and all else as it was, to the letter: a person may have written it.

    The role is put where ``role: auto`` stands, else in a line of its own at the end; ruamel's round trip finds the
    place, looks whether that came out right, and writes files of rarer shapes, which may move some blanks.
    """
    document = _yaml().load(text)
    edited = _replaced(text, document, role) if "role" in document else _appended(text, role)
    wanted = {**document, "role": role.value}
    if _loaded(edited) == wanted:
        return edited.encode()
    document["role"] = role.value
    return _dumped(document).encode()


def _replaced(text: str, document: CommentedMap, role: Role) -> str:
    line, column = document.lc.value("role")
    lines = text.splitlines(keepends=True)
    old = lines[line]
    lines[line] = old[:column] + re.sub(r"^(auto|\"auto\"|'auto')", role.value, old[column:])
    return "".join(lines)


def _appended(text: str, role: Role) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text}{'' if text.endswith(newline) else newline}role: {role.value}{newline}"


def _loaded(text: str) -> object:
    try:
        return _yaml().load(text)
    except YAMLError:
        return None


def _options(options: Boot) -> Mapping[str, Any]:
    """Return the keys of ``Boot`` that are set, as they are written."""
    told = Boot.model_validate(options.model_dump(include=set(Boot.model_fields), by_alias=True))
    return told.model_dump(mode="json", by_alias=True, exclude_none=True)


def _seen(machine: Machine, given: Assignment) -> Mapping[str, Any]:
    known = {
        "arch": machine.arch and machine.arch.value,
        "manufacturer": machine.manufacturer,
        "product": machine.product,
        "board": machine.board,
        "serial": machine.serial,
        "uuid": machine.uuid and str(machine.uuid),
        "address": machine.address and str(machine.address),
        "rule": given.rule,
    }
    return {key: DoubleQuotedScalarString(_plain(value)) for key, value in known.items() if value}


def _plain(text: str) -> str:
    """YAML has no lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def _yaml() -> YAML:
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = _WIDE
    return writer


def _dumped(document: Mapping[str, Any]) -> str:
    writer = _yaml()
    writer.indent(mapping=2, sequence=4, offset=2)
    written = io.StringIO()
    writer.dump(document, written)
    return written.getvalue()
