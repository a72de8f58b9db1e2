"""Requests on machines: a machine's place, what is wanted of it, and which hardware it is; and all of them."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.fleet.fields.layer_names import LayerName
from iluvatar_pxe.fleet.fields.names import is_host_name
from iluvatar_pxe.machines.states import Intent, Phase, Role
from iluvatar_pxe.printable import plain_text
from iluvatar_pxe.wire.mac import parse_mac
from iluvatar_pxe.wire.pxe import CpuArch


def _host_name(text: str) -> str:
    if not is_host_name(text):
        raise ValueError("not a host name; use a-z, 0-9 and '-'")
    return text


def _without_command(intent: Intent) -> Intent:
    if intent in {Intent.HOLD, Intent.REINSTALL}:
        raise ValueError(f"use the command iluvatar-pxe machines {intent}")
    return intent


MOST_MACHINES = 1000
"""On one page of the list."""
MOST_BOOTS = 100
"""As many are kept of a machine."""
Designation = Annotated[str, Field(min_length=1, max_length=100)]
"""A machine as ``find_machine`` takes it: its name, MAC or id."""
HostName = Annotated[str, AfterValidator(_host_name)]
PlainIntent = Annotated[Intent, AfterValidator(_without_command)]
Mac = Annotated[str, AfterValidator(parse_mac)]
Words = Annotated[str, BeforeValidator(lambda value: plain_text(value) if isinstance(value, str) else value)]


class BootFirmware(StrEnum):
    """The kinds of firmware that ask for a boot."""

    BIOS_PXE = "bios-pxe"
    UEFI_PXE = "uefi-pxe"
    UEFI_HTTP = "uefi-http"
    IPXE = "ipxe"
    RASPBERRY_PI = "raspberry-pi"


class ShowMachines(Request):
    """``machines list``: tells all machines, or a page of them; those with a name come first."""

    method = "GET"
    route = "/api/v1/machines"
    limit: Annotated[int | None, Field(ge=1, le=MOST_MACHINES)] = None
    """The most on a page; the control socket tells all without it, the network's API 100."""
    cursor: Annotated[str, Field(max_length=200)] = ""
    """``next`` of the page before."""
    words: Annotated[str, Field(max_length=100)] = ""
    """In the name, a MAC, the address, serial number, manufacturer or product; case does not matter."""
    phase: Phase | None = None
    layer: LayerName | None = None
    role: Role | None = None
    attention: bool = False
    """Only those that need a person."""


class ListMachines(Request):
    """``machines list``: tells the rows of the table, a page of them at a time, and with the first page its columns' widths.

    Without ``every``, machines that only passed by are left out; ``passing`` is how many those are.
    """

    method = "GET"
    route = "/api/v1/machine-rows"
    limit: Annotated[int, Field(ge=1, le=MOST_MACHINES)] = MOST_MACHINES
    cursor: Annotated[str, Field(max_length=200)] = ""
    """``next`` of the page before."""
    every: bool = False


class ShowMachine(Request):
    """``machines show``: tells what is known of one machine, its next boot and why, and its last boots."""

    method = "GET"
    route = "/api/v1/machines/{machine}"
    machine: Designation
    boots: Annotated[int, Field(ge=0, le=MOST_BOOTS)] = 5


class _OfMachine(Request):
    machine: Designation


class ShowPlan(_OfMachine):
    """``plan``: tells what a machine would be served now and why, with script and configuration; secrets are masked.

    Also of a machine that was not seen, by any MAC, or by the name of its file.
    """

    method = "GET"
    route = "/api/v1/machines/{machine}/plan"
    firmware: BootFirmware | None = None
    """In place of its own."""
    arch: CpuArch | None = None


class ShowBoots(_OfMachine):
    """``machines show``: tells a machine's last boots part by part, and what is slower or missing in each."""

    method = "GET"
    route = "/api/v1/machines/{machine}/boots"
    boots: Annotated[int, Field(ge=1, le=MOST_BOOTS)] = 6
    """Each is compared with the earlier ones among them."""


class SetPlace(_OfMachine):
    """``machines set``: gives a machine that no file lists another place, or any machine a phase or an intent."""

    route = "/api/v1/machines/{machine}/set"
    name: HostName | None = None
    layer: LayerName | None = None
    role: Role | None = None
    phase: Phase | None = None
    intent: PlainIntent | None = None


class Hold(_OfMachine):
    """``machines hold``: holds a machine at its next boot."""

    route = "/api/v1/machines/{machine}/hold"
    why: Words = ""


class Release(_OfMachine):
    """``machines release``: clears a hold, a refusal, a failure, an identity conflict or a warning about an unlisted NIC."""

    route = "/api/v1/machines/{machine}/release"


class Reinstall(_OfMachine):
    """``machines reinstall``: boots a machine's chain again although it has joined; its disks are read again before.

    ``wipe``: whatever is on the disk that is chosen may be erased, and a Talos that is installed is wiped first.
    """

    route = "/api/v1/machines/{machine}/reinstall"
    wipe: bool = False
    force: bool = False
    """Also where the cluster's etcd is harmed."""
    wake: bool = False
    """Send it magic packets then."""
    cycle: bool = False
    """Switch it off and on then, to boot from the network; Talos that runs restarts by itself, and is left alone."""


class Forget(_OfMachine):
    """``machines forget``: removes a machine and its boots; an assigned name stays reserved."""

    route = "/api/v1/machines/{machine}/forget"


class Rename(_OfMachine):
    """``machines rename``: gives a machine that a file lists another name, by a commit."""

    route = "/api/v1/machines/{machine}/rename"
    new: HostName


class Merge(_OfMachine):
    """``machines merge``: merges two entries of the same machine."""

    route = "/api/v1/machines/{machine}/merge"
    other: Designation


class Split(_OfMachine):
    """``machines split``: splits a NIC off into a machine of its own."""

    route = "/api/v1/machines/{machine}/split"
    mac: Mac
