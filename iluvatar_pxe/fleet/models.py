"""The fleet's files as immutable models; what they mean is decided in ``boot``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from iluvatar_pxe.machines.mac import parse_mac
from iluvatar_pxe.wire.pxe import CpuArch

_KERNEL_ARGUMENT = re.compile(r"[\x21-\x23\x25-\x7e]+")
_SEPARATORS = frozenset({"&&", "||", ";"})
"""Words at which iPXE splits a line into commands; one that begins with ``#`` starts a comment."""
_RELATIVE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def _kernel_argument(value: str) -> str:
    if not _KERNEL_ARGUMENT.fullmatch(value) or value in _SEPARATORS or value.startswith("#"):
        raise ValueError(
            "a kernel argument is printable ASCII without spaces and '$', and nothing that ends iPXE's command"
        )
    return value


def _relative_path(value: str) -> str:
    if not _RELATIVE_PATH.fullmatch(value):
        raise ValueError("write a path inside the fleet such as configs/arda-01.yaml")
    return value


def _mac_text(value: Any) -> Any:
    """Undo what YAML makes of a MAC without colons or quotes that has digits only, or a single ``e``."""
    if isinstance(value, float):
        raise ValueError("input looks like a number: put the MAC address in quotes")  # noqa: TRY004 - pydantic's way
    return f"{value:012d}" if isinstance(value, int) and not isinstance(value, bool) else value


def _shaped(pattern: str, what: str) -> AfterValidator:
    shape = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not shape.fullmatch(value):
            raise ValueError(f"write {what}")
        return value

    return AfterValidator(check)


Mac = Annotated[str, BeforeValidator(_mac_text), AfterValidator(parse_mac)]
KernelArgument = Annotated[str, AfterValidator(_kernel_argument)]
FleetPath = Annotated[str, AfterValidator(_relative_path)]
Schematic = Annotated[
    str, _shaped(r"[A-Za-z0-9][A-Za-z0-9._-]*", "the id of a schematic, as Image Factory gives it")
]
Version = Annotated[
    str, _shaped(r"v\d{1,4}\.\d{1,4}\.\d{1,4}(-[a-z]+\.\d{1,4})?", "a version such as v1.13.9")
]
Domain = Annotated[
    str, _shaped(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", "a domain in lower case such as lab.home.arpa")
]


class LocalMethod(StrEnum):
    """How a machine is sent to its own disk; firmware differs in what works (sidero#287, sidero#1205)."""

    EXIT = "exit"
    """iPXE ends; firmware goes on to the next entry of its boot order."""
    SANBOOT = "sanboot"
    """iPXE starts the first disk itself."""
    NOT_FOUND = "404"
    """Firmware is named a program that is not there, gives up at once and goes on by itself."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Boot(_Model):
    """What a machine boots: a chain and the keys that chain needs."""

    chain: Literal["talos", "local", "hold", "ipxe"]
    config: FleetPath | None = None
    """talos: the machine configuration, a file of the fleet."""
    script: FleetPath | None = None
    """ipxe: the script, a file of the fleet."""
    local: Annotated[
        LocalMethod | None, BeforeValidator(lambda value: str(value) if value == 404 else value)
    ] = None
    """local: the method; without it, ``sanboot`` on BIOS and ``exit`` on UEFI."""

    @model_validator(mode="after")
    def _keys_of_the_chain(self) -> "Boot":
        needed = {"talos": "config", "ipxe": "script"}.get(self.chain)
        if needed and getattr(self, needed) is None:
            raise ValueError(f"chain {self.chain} needs the key '{needed}', a file of the fleet")
        for key, chain in (("config", "talos"), ("script", "ipxe"), ("local", "local")):
            if getattr(self, key) is not None and self.chain != chain:
                raise ValueError(f"the key '{key}' belongs to chain {chain}, not to {self.chain}")
        return self


class Match(_Model):
    """Which machine a file speaks of."""

    macs: Annotated[tuple[Mac, ...], Field(min_length=1)]


class MachineFile(Boot):
    """``machines/NAME.yaml``: one machine."""

    match: Match
    layer: Literal["arda"] = "arda"
    program: Literal["undionly.kpxe", "ipxe.pxe", "snponly.efi", "ipxe.efi"] | None = None
    """iPXE program for firmware on which the usual one fails (danderson/netboot#63)."""


class TalosLayer(_Model):
    """The ``talos:`` part of ``layers/arda.yaml``."""

    version: Version
    schematic: Schematic
    extra_kernel_args: tuple[KernelArgument, ...] = ()

    @property
    def minor(self) -> tuple[int, int]:
        """Major and minor version, as numbers."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        return int(major), int(minor)


class ArdaLayer(_Model):
    """``layers/arda.yaml``."""

    talos: TalosLayer


def _boot_of_name(value: Any) -> Any:
    return {"chain": value} if isinstance(value, str) else value


UnlistedBoot = Annotated[Boot, BeforeValidator(_boot_of_name)]


class FleetFile(_Model):
    """``fleet.yaml``."""

    domain: Domain = "lab.home.arpa"
    unlisted: Mapping[CpuArch, UnlistedBoot] = Field(default_factory=dict)
    """What machines boot that no file lists, by architecture; ``hold`` where nothing is said."""


@dataclass(frozen=True, slots=True)
class ListedMachine:
    """A machine that the fleet lists, by its name."""

    name: str
    file: MachineFile


@dataclass(frozen=True, slots=True)
class Fleet:
    """The declared state."""

    settings: FleetFile = field(default_factory=FleetFile)
    arda: ArdaLayer | None = None
    by_mac: Mapping[str, ListedMachine] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    """Machine configurations and scripts, by their path in the fleet."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the machines listed."""
        return frozenset(machine.name for machine in self.by_mac.values())

    def machine(self, macs: tuple[str, ...]) -> ListedMachine | None:
        """Return the machine listed under the first MAC that any file lists, or None."""
        return next((self.by_mac[mac] for mac in macs if mac in self.by_mac), None)

    def unlisted(self, arch: CpuArch | None) -> Boot:
        """Return what an unlisted machine of this architecture boots."""
        return self.settings.unlisted.get(arch, HOLD) if arch else HOLD


HOLD = Boot(chain="hold")
