"""``machines/NAME.yaml``, as the daemon writes it; and a role put into one that a person wrote."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from iluvatar_pxe.fleet.models import Boot
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_yaml
from iluvatar_pxe.gitops.changes.yaml_text import dumped, loaded, quoted
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.states import Assignment, Role

_HEAD = "# Written by iluvatar-pxe when this machine joined. Edit it freely, but keep the MACs.\n"
_AUTO = re.compile(r"""\brole["']?[ \t]*:\s+("auto"|'auto'|auto)(?![^\s,}#])""")
_EMPTY = re.compile(r"^([ \t]*role[ \t]*:)(?=[ \t]*(?:#.*)?$)", re.MULTILINE)
_FIRST_KEY = re.compile(r"^([ ]*)[^\s#%-]", re.MULTILINE)
_END = re.compile(r"^\.\.\.", re.MULTILINE)
_MOST_PLACES = 4
"""That are tried of each kind: reading a large file takes its time."""


def machine_path(name: str) -> str:
    """Return the path of a machine's file."""
    return f"machines/{name}.yaml"


def new_machine_file(
    machine: Machine, given: Assignment, options: Boot, *, by_hardware: bool = False
) -> bytes:
    """Return the file of a machine that joins; ``options`` are its rule's, which speaks of it no longer.

    ``by_hardware``: it is known by serial number and UUID, too, whichever card it boots by.
    """
    match: dict[str, Any] = {"macs": [quoted(mac) for mac in machine.macs]}
    if by_hardware:
        match |= {"serial": quoted(machine.serial), "uuid": str(machine.uuid)}
    document: dict[str, Any] = {
        "match": match,
        "layer": given.layer,
        "role": given.role.value,
        **_options(options),
        "seen": _seen(machine, given),
    }
    return (_HEAD + dumped(document)).encode()


def with_role(text: str, role: Role) -> bytes:
    """Return a machine's file with its role in it, and all else as it was, to the letter: a person may have written it.

    Each way to write it is tried, and the first counts after which the file says what it said, and the role: by the
    parser that reads the fleet. Files of rare shapes go through ruamel's round trip, which may move blanks.
    Raises ValueError where none does.
    """
    wanted = {**parse_yaml(text).value, "role": role.value}
    for edited in _edits(text, role.value):
        if _says(edited) == wanted:
            return edited.encode()
    raise ValueError(f"the daemon cannot add its role there; add it yourself: role: {role}")


def _edits(text: str, role: str) -> Iterator[str]:
    newline = "\r\n" if "\r\n" in text else "\n"
    for found in islice(_AUTO.finditer(text), _MOST_PLACES):
        yield text[: found.start(1)] + role + text[found.end(1) :]
    for found in islice(_EMPTY.finditer(text), _MOST_PLACES):
        yield f"{text[: found.end(1)]} {role}{text[found.end(1) :]}"
    indent = next((line[1] for line in _FIRST_KEY.finditer(text)), "")
    line = f"{indent}role: {role}{newline}"
    yield f"{text}{'' if text.endswith(newline) else newline}{line}"
    for end in islice(_END.finditer(text), _MOST_PLACES):
        yield text[: end.start()] + line + text[end.start() :]
    yield from _in_braces(text, role)
    yield from _round_trip(text, role)


def _in_braces(text: str, role: str) -> Iterator[str]:
    brace = len(text)
    for _ in range(_MOST_PLACES):
        brace = text.rfind("}", 0, brace)
        if brace < 0:
            return
        inside = text[:brace].rstrip(" ")
        yield from (f"{inside}{comma} role: {role}{text[len(inside) :]}" for comma in (",", ""))


def _round_trip(text: str, role: str) -> Iterator[str]:
    try:
        document = loaded(text)
        document["role"] = role
        yield dumped(document)
    except (ValueError, TypeError):  # it refuses some of what libyaml reads, as tabs between words
        return


def _says(text: str) -> object:
    try:
        return parse_yaml(text).value
    except DocumentError:
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
    return {key: quoted(_plain(value)) for key, value in known.items() if value}


def _plain(text: str) -> str:
    """YAML has no lone surrogates."""
    return text.encode("utf-8", "replace").decode()
