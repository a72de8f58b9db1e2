"""Types of single values in fleet files; their errors say what to write instead."""

import re
from ipaddress import IPv4Address
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, StrictInt, WithJsonSchema

from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.versions import NUMBER
from iluvatar_pxe.declared.shapes import Shape, hint
from iluvatar_pxe.fleet.fields.names import (
    HOST_NAME,
    MOST,
    PATTERN,
    is_host_name,
    is_pattern,
)
from iluvatar_pxe.machines.hardware import is_bogus_serial, is_bogus_uuid
from iluvatar_pxe.machines.states import Intent, Role
from iluvatar_pxe.wire.mac import parse_mac

_QUORUMS = (1, 3, 5)
_KERNEL_ARGUMENT = re.compile(r"[\x21-\x23\x25-\x7e]+")
_NO_KERNEL_ARGUMENT = (
    "a kernel argument is printable ASCII without spaces and '$', and nothing that ends iPXE's command"
)
_TALOS_RELEASE = rf"v{NUMBER}\.{NUMBER}\.{NUMBER}(-[a-z]+\.{NUMBER})?"
_SEPARATORS = frozenset({"&&", "||", ";"})
"""Words at which iPXE splits a line into commands; one that begins with ``#`` starts a comment."""
_OURS = re.compile(
    r"\s*(kernel|initramfs|auto_initramfs|cmdline|include|boot_ramdisk|os_prefix|overlay_prefix|start_file|fixup_file)\b"
)
"""Settings of config.txt that say which files a Raspberry Pi fetches."""
_MAC = r"\s*[:.-]*[0-9A-Fa-f][:.-]*[02468ACEace][:.-]*(?:[0-9A-Fa-f][:.-]*){10}\s*"
"""Twelve digits, of which the second is even: an odd one makes a group's address."""
_NO_HOST_NAME = "is not a host name; use a-z, 0-9 and '-'"
_NO_NAME_PATTERN = "write a host name with one run of # for its number, such as arda-##"
_NO_ADDRESS = "write an IPv4 address such as 192.168.1.20"


def _kernel_argument(value: str) -> str:
    if not _KERNEL_ARGUMENT.fullmatch(value) or value in _SEPARATORS or value.startswith("#"):
        raise ValueError(_NO_KERNEL_ARGUMENT)
    return value


def _mac_text(value: Any) -> Any:
    """Undo what YAML makes of a MAC without colons or quotes that has digits only, or a single ``e``."""
    if isinstance(value, float):
        raise ValueError("input looks like a number: put the MAC address in quotes")  # noqa: TRY004 - pydantic's way
    return f"{value:012d}" if isinstance(value, int) and not isinstance(value, bool) else value


def _no_number(value: Any) -> Any:
    """Pydantic would take a number for an address."""
    if isinstance(value, int):
        raise ValueError(_NO_ADDRESS)  # noqa: TRY004 - pydantic's way
    return value


def _telling_serial(value: str) -> str:
    if is_bogus_serial(value):
        raise ValueError(f"{value[:40]!r} is shared by many machines; match by macs")
    return value


def _telling_uuid(value: UUID) -> UUID:
    if is_bogus_uuid(value):
        raise ValueError(f"{value} is shared by many machines; match by macs")
    return value


def _host_name(value: str) -> str:
    if not is_host_name(value):
        raise ValueError(_NO_HOST_NAME)
    return value


def _name_pattern(value: str) -> str:
    if not is_pattern(value):
        raise ValueError(_NO_NAME_PATTERN)
    return value


def is_talos_release(text: str) -> bool:
    """Say whether a text is a version of Talos, and not a word that stands for one."""
    return re.fullmatch(_TALOS_RELEASE, text) is not None


def _quorum(value: int) -> int:
    if value not in _QUORUMS:
        raise ValueError(f"must be 1, 3 or 5 (got {value}); write one of these")
    return value


def _declared_intent(intent: Intent | None) -> Intent | None:
    if intent is Intent.REINSTALL:
        raise ValueError("reinstall is done once, not declared; run iluvatar-pxe machines reinstall")
    return intent


def _option(value: Any) -> Any:
    if not isinstance(value, str | int):
        raise ValueError("write a text, a whole number, true or false")  # noqa: TRY004 - pydantic's way
    return value


def _not_ours(line: str) -> str:
    if found := _OURS.match(line):
        raise ValueError(f"{found[1]} is set by the daemon, or names a file that it does not serve")
    return line


Mac = Annotated[
    str,
    BeforeValidator(_mac_text),
    AfterValidator(parse_mac),
    hint(
        _MAC, "write a MAC address such as 52:54:00:12:34:56", type=["string", "integer"], maximum=10**12 - 1
    ),
]
Address = Annotated[IPv4Address, BeforeValidator(_no_number)]
Serial = Annotated[str, AfterValidator(_telling_serial), WithJsonSchema({"type": "string", "minLength": 2})]
MachineUuid = Annotated[UUID, AfterValidator(_telling_uuid)]
KernelArgument = Annotated[
    str,
    AfterValidator(_kernel_argument),
    hint(rf"(?!#|(?:&&|\|\||;)$){_KERNEL_ARGUMENT.pattern}", _NO_KERNEL_ARGUMENT),
]
FleetPath = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*",
        "write a path inside the fleet such as configs/arda-01.yaml",
    ),
]
HostName = Annotated[str, AfterValidator(_host_name), hint(HOST_NAME.pattern, _NO_HOST_NAME)]
NamePattern = Annotated[
    str, AfterValidator(_name_pattern), hint(PATTERN.pattern, _NO_NAME_PATTERN, maxLength=MOST)
]
QuorumSize = Annotated[
    StrictInt, AfterValidator(_quorum), WithJsonSchema({"type": "integer", "enum": [*_QUORUMS]})
]
"""How many machines hold a cluster's state; an even number adds nothing to etcd's quorum, and more than 5 slow it down."""
RoleOrAuto = Annotated[
    Role | None,
    BeforeValidator(lambda value: None if value == "auto" else value),
    WithJsonSchema({"enum": ["auto", *Role], "default": "auto"}),
]
"""A role of any kind of layer; None (``auto``) where it is to be chosen."""
DeclaredIntent = Annotated[
    Intent | None,
    AfterValidator(_declared_intent),
    WithJsonSchema({"enum": [intent for intent in Intent if intent is not Intent.REINSTALL]}),
]
CmdlineArgument = Annotated[
    str, Shape(r"[!-~]{1,500}", "write one kernel argument: printable ASCII without spaces")
]
ImageName = Annotated[
    str,
    Shape(
        r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", "write the name of a folder below raspberry-pi/ of the assets"
    ),
]
ConfigTxtLine = Annotated[
    str,
    AfterValidator(_not_ours),
    Shape(
        rf"(?!{_OURS.pattern})[ -~]{{1,98}}",
        "write a line of config.txt: printable ASCII, at most 98 characters, and no file's name",
    ),
]
RuleTitle = Annotated[str, Shape(r"[ -~]{1,60}", "write up to 60 printable ASCII characters")]
SchematicId = Annotated[
    str,
    Shape(r"[A-Za-z0-9][A-Za-z0-9._-]*", "write the id of a schematic, as Image Factory gives it"),
]
TalosVersion = Annotated[
    str, Shape(rf"{STABLE}|{_TALOS_RELEASE}", f"write a version such as v1.13.9, or {STABLE}")
]
KubernetesVersion = Annotated[
    str, Shape(rf"v{NUMBER}\.{NUMBER}\.{NUMBER}(-[a-z]+\.{NUMBER})?", "write a version such as v1.36.3")
]
ExtensionName = Annotated[
    str,
    Shape(
        r"([a-z0-9][a-z0-9-]{0,38}/)?[a-z0-9][a-z0-9._-]{0,99}",
        "write a name of Image Factory's list, such as siderolabs/iscsi-tools",
    ),
]
OverlayName = Annotated[
    str, Shape(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "write the name of an overlay such as rpi_generic")
]
OptionName = Annotated[str, Shape(r"[A-Za-z]{1,50}", "write the name of an option: letters only")]
OptionValue = Annotated[str | int | bool, BeforeValidator(_option)]
