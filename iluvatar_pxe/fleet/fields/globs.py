"""Patterns for the properties that machines report, as written in a fleet."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from iluvatar_pxe.declared.shapes import hint
from iluvatar_pxe.machines.sighting import Firmware
from iluvatar_pxe.wire.pxe import CpuArch

FIRMWARE = (
    Firmware.BIOS_PXE,
    Firmware.UEFI_PXE,
    Firmware.UEFI_HTTP,
    Firmware.IPXE,
    Firmware.RASPBERRY_PI,
)
"""Firmware that a rule may match; the others are not served, or appear after the rules."""

_ARCHITECTURES = tuple(arch.value for arch in CpuArch)
_MAC_BEGINNING = re.compile(r"[0-9a-f]{1,12}")
_MAC_GLOB = re.compile(r"(?=.*[?*])[0-9a-f:?*]{1,17}")
_SEPARATORS = re.compile(r"[:.\-]")
_NO_NETWORK = "write a network such as 192.168.1.0/24"


def fits(text: str, glob: str) -> bool:
    """Say whether a text fits a pattern: ``*`` is any text, ``?`` any character, ``[…]`` one of several.

    Upper and lower case are the same.
    """
    return fnmatchcase(text.casefold(), glob.casefold())


def _mac_glob(value: str) -> str:
    """Return a pattern over MACs in their usual spelling, for one or for the beginning of one."""
    text = value.strip().lower()
    digits = _SEPARATORS.sub("", text.removesuffix("*"))
    if _MAC_BEGINNING.fullmatch(digits):
        octets = (digits[start : start + 2] for start in range(0, len(digits), 2))
        return ":".join(octets) + ("*" if len(digits) < 12 else "")
    glob = text.replace("-", ":")
    if not _MAC_GLOB.fullmatch(glob):
        raise ValueError(f"{value[:40]!r} is not a MAC prefix such as 52:54:00, or a pattern")
    return glob


def _one_of(known: Collection[str], what: str) -> AfterValidator:
    def check(glob: str) -> str:
        if not any(fits(one, glob) for one in known):
            raise ValueError(f"{glob[:40]!r} matches no {what}; use one of {', '.join(known)}")
        return glob

    return AfterValidator(check)


def _network(value: Any) -> IPv4Network:
    """Pydantic would take a number for an address."""
    try:
        return IPv4Network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(_NO_NETWORK) from None


def _known_or_pattern(known: Collection[str]) -> WithJsonSchema:
    """What may be a pattern, or written in capitals, is left to the daemon."""
    other = {"type": "string", "pattern": r"[*?\[A-Z]|[^ -~]"}
    return WithJsonSchema({"anyOf": [{"enum": [*known]}, other]})


class _OrOne:
    """Schema for a single value in place of a list."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        several = handler(schema)
        several["minItems"] = several.pop("minLength")  # as pydantic calls it for what a function returns
        item = several["items"]
        return {"anyOf": [*item.get("anyOf", [item]), several]}


_SEVERAL = BeforeValidator(lambda value: value if isinstance(value, list | tuple) else (value,))
_SOME = Field(min_length=1)
_Glob = Annotated[str, Field(min_length=1, max_length=100)]
_MacGlob = Annotated[
    _Glob,
    AfterValidator(_mac_glob),
    hint(r"\s*[0-9A-Fa-f:.?*-]+\s*", "write a MAC prefix such as 52:54:00, or a pattern"),
]
_ArchGlob = Annotated[_Glob, _one_of(_ARCHITECTURES, "architecture"), _known_or_pattern(_ARCHITECTURES)]
_FirmwareGlob = Annotated[_Glob, _one_of(FIRMWARE, "firmware"), _known_or_pattern(FIRMWARE)]
_Network = Annotated[
    IPv4Network, BeforeValidator(_network), hint(r"\d{1,3}(\.\d{1,3}){3}(/[\d.]+)?", _NO_NETWORK)
]

Globs = Annotated[tuple[_Glob, ...], _SEVERAL, _SOME, _OrOne()]
"""One pattern, or a list of them."""
MacGlobs = Annotated[tuple[_MacGlob, ...], _SEVERAL, _SOME, _OrOne()]
ArchGlobs = Annotated[tuple[_ArchGlob, ...], _SEVERAL, _SOME, _OrOne()]
FirmwareGlobs = Annotated[tuple[_FirmwareGlob, ...], _SEVERAL, _SOME, _OrOne()]
Subnets = Annotated[tuple[_Network, ...], _SEVERAL, _SOME, _OrOne()]
