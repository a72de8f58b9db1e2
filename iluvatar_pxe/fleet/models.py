"""The fleet's files as immutable models; ``boot`` interprets them. Keys are written in camelCase."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import Struct
from pydantic import BeforeValidator, Field, StrictBool, StrictInt, WithJsonSchema, model_validator

from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.catalogue.model import AssetsPart
from iluvatar_pxe.declared.base import GIVEN, Model, Selector
from iluvatar_pxe.fleet.backup import Backup
from iluvatar_pxe.fleet.daemon_files import ClusterFile, EnrolmentFile, RecipientsFile, Seen
from iluvatar_pxe.fleet.disk_selector import MachineDisk
from iluvatar_pxe.fleet.dns import DnsRecords, Domain, PrivateDomain, RecordName
from iluvatar_pxe.fleet.fields.globs import ArchGlobs, FirmwareGlobs, Globs, MacGlobs, Subnets
from iluvatar_pxe.fleet.fields.layer_names import LayerName
from iluvatar_pxe.fleet.fields.pool import Pool
from iluvatar_pxe.fleet.fields.values import (
    Address,
    DeclaredIntent,
    FleetPath,
    HostName,
    ImageName,
    KernelArgument,
    Mac,
    MachineUuid,
    RoleOrAuto,
    RuleTitle,
    Serial,
)
from iluvatar_pxe.fleet.layers import K3sLayer, Layer, Talos, TalosLayer
from iluvatar_pxe.fleet.notifications import MOST_RECIPIENTS, Recipient, RecipientName
from iluvatar_pxe.fleet.power import Power
from iluvatar_pxe.fleet.registries import Registries
from iluvatar_pxe.fleet.root import MachineRoot
from iluvatar_pxe.machines.hardware import swapped
from iluvatar_pxe.machines.states import Intent, LayerKind
from iluvatar_pxe.values import replace

__all__ = [
    "Boot",
    "Enrolment",
    "EnrolmentMode",
    "Fleet",
    "FleetFile",
    "K3sLayer",
    "Layer",
    "ListedMachine",
    "LocalMethod",
    "MachineFile",
    "Match",
    "Menu",
    "MenuEntry",
    "Rule",
    "Talos",
    "TalosLayer",
    "Traits",
]


class LocalMethod(StrEnum):
    """How a machine boots its own disk; what works depends on the firmware (sidero#287, sidero#1205)."""

    EXIT = "exit"
    """iPXE ends; firmware goes on to the next entry of its boot order."""
    SANBOOT = "sanboot"
    """iPXE starts the first disk itself."""
    NOT_FOUND = "404"
    """Firmware gets the name of a missing file, fails at once and boots the next entry."""


class Boot(Model):
    """How a machine boots: the options of a machine's file and of a rule."""

    chain: Literal["talos", "local", "hold", "ipxe", "menu"] | None = None
    """What it runs; without it, the chain of its layer."""
    config: FleetPath | None = None
    """Chain talos: the machine configuration, a file of the fleet, in place of the layer's."""
    script: FleetPath | None = None
    """Chain ipxe: the script, a file of the fleet."""
    local: Annotated[
        LocalMethod | None,
        BeforeValidator(lambda value: str(value) if value == 404 else value),
        WithJsonSchema({"enum": [*LocalMethod, 404]}),
    ] = None
    """How it boots its own disk. Default: ``sanboot`` on BIOS and ``exit`` on UEFI."""
    program: Literal["undionly.kpxe", "ipxe.pxe", "snponly.efi", "ipxe.efi"] | None = None
    """iPXE binary for firmware on which the default one fails (danderson/netboot#63)."""
    kernel_args: tuple[KernelArgument, ...] | None = None
    """Added to the kernel's arguments; for the chain ipxe, the setting ``kernelArgs`` of its script."""
    image: ImageName | None = None
    """Raspberry Pis: the image, in place of the layer's."""
    eeprom_update: StrictBool | None = None
    """Raspberry Pis: whether the EEPROM is updated, in place of the layer's."""

    @model_validator(mode="after")
    def _keys_of_the_chain(self) -> Self:
        needed = {"talos": "config", "ipxe": "script"}.get(self.chain or "")
        if needed and getattr(self, needed) is None:
            raise ValueError(f"chain {self.chain} needs the key '{needed}', a file of the fleet")
        if self.config and self.chain not in {None, "talos", "menu"}:
            raise ValueError(f"the key 'config' is only for chain talos, not for {self.chain}")
        if self.script and self.chain != "ipxe":
            raise ValueError(
                f"the key 'script' is only for chain ipxe, not for {self.chain or 'the chain of its layer'}"
            )
        if self.kernel_args and self.chain in {"local", "hold"}:
            raise ValueError(f"the key 'kernelArgs' is for chains that boot a kernel, not for {self.chain}")
        return self


class _Placed(Boot):
    layer: LayerName | None = None
    """Its layer; the layer's file defines what runs there."""
    role: RoleOrAuto = None
    """Its role in the layer's cluster; ``auto``: chosen by the daemon."""
    intent: DeclaredIntent = None
    """Desired state: ``local`` boots its own disk, ``hold`` makes it wait, ``ignore`` gives no answer."""

    @property
    def boots_by_layer(self) -> bool:
        """Say whether its chain is its layer's, maybe after a menu: only to such a machine a role is given."""
        has_place = self.layer is not None or self.role is not None
        return self.chain in {None, "talos"} or (self.chain == "menu" and has_place)


class Match(Model):
    """The machine that a file describes: one with any of these MACs, or with this serial number and UUID."""

    macs: tuple[Mac, ...] = ()
    """MAC addresses of its NICs, in any usual format; one is enough."""
    serial: Serial | None = None
    """As ``iluvatar-pxe machines show`` prints it; identifies a machine together with ``uuid``."""
    uuid: MachineUuid | None = None
    """As ``iluvatar-pxe machines show`` prints it; identifies a machine together with ``serial``."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (self.serial is None) != (self.uuid is None):
            raise ValueError(
                "serial and uuid identify a machine only together; add the other, or match by macs"
            )
        if not self.macs and self.serial is None:
            raise ValueError("identifies no machine; add macs, or serial and uuid")
        return self

    @property
    def hardware(self) -> tuple[str, UUID] | None:
        """Serial number and UUID, in the lesser of its two byte orders."""
        return _hardware(self.serial, self.uuid) if self.serial and self.uuid else None


class MachineFile(_Placed):
    """``machines/NAME.yaml``: one machine."""

    match: Match
    """How it is recognised."""
    name: HostName | None = None
    """Optional; must equal the file's name."""
    layer: LayerName | None = None
    """Its layer. Default: the fleet's only layer of kind talos."""
    address: Address | None = None
    """Its fixed address: published in DNS, and assigned where this daemon runs DHCP."""
    patches: tuple[FleetPath, ...] = ()
    """Patch files of the fleet, applied to the layer's configuration."""
    disk: Annotated[MachineDisk | None, GIVEN] = None
    """Which of its disks Talos is installed on, in place of its layer's ``disk``."""
    root: Annotated[MachineRoot | None, GIVEN] = None
    """Raspberry Pis: where its operating system and its data are, in place of its layer's ``root``."""
    power: Annotated[Power | None, GIVEN] = None
    """What switches it on and off, besides Wake-on-LAN."""
    seen: Seen = Seen()
    """What was known of it when it joined; informational only."""


class Traits(Selector):
    """Conditions of a rule: all given keys must match, each by any of its patterns."""

    mac: MacGlobs = ()
    """Any NIC: a MAC prefix in any usual format, or a pattern."""
    board: Globs = ()
    """What SMBIOS says, or a Pi's revision code; ``*`` is any text, ``?`` any character."""
    arch: ArchGlobs = ()
    """Its processor."""
    manufacturer: Globs = ()
    """What SMBIOS says, or ``Raspberry Pi``; ``*`` is any text, ``?`` any character."""
    product: Globs = ()
    """What SMBIOS says, or a Pi's model; ``*`` is any text, ``?`` any character."""
    serial: Globs = ()
    """What SMBIOS says, or a Pi's serial number; ``*`` is any text, ``?`` any character."""
    firmware: FirmwareGlobs = ()
    """Its firmware type."""
    subnet: Subnets = ()
    """Networks that contain its address."""


class Rule(_Placed):
    """Assigns matching machines to a layer, or sets their intent (local, hold, ignore)."""

    name: RuleTitle | None = None
    """A title for humans."""
    match: Annotated[Traits, GIVEN] = Traits()
    """Conditions; without keys, a rule matches every machine."""

    @property
    def may_lead(self) -> bool:
        """Say whether a role that is chosen may be the leading one: where both chain and configuration are the layer's."""
        return self.boots_by_layer and self.config is None

    @model_validator(mode="after")
    def _layer_or_intent(self) -> Self:
        if (self.layer is None) == (self.intent is None):
            raise ValueError("a rule needs either 'layer' or 'intent', not both")
        if self.intent is Intent.BOOT:
            raise ValueError("a rule's intent is local, hold or ignore; to boot machines, write 'layer'")
        if self.intent and (self.chain or self.config or self.role):
            raise ValueError("chain, config, script and role need the key 'layer' in the rule")
        return self


class EnrolmentMode(StrEnum):
    """Whether machines that no file lists may join."""

    WINDOW = "window"
    """While a window is open."""
    JOIN = "join"
    """At any time; outside a window only as worker or agent."""
    HOLD = "hold"
    """They wait; their screens show how to enrol them."""
    IGNORE = "ignore"
    """They get no answer."""


class Enrolment(Model):
    """The ``enrolment:`` part of ``fleet.yaml``."""

    mode: EnrolmentMode = EnrolmentMode.WINDOW
    """``window``: while one is open (``iluvatar-pxe enrol open 30m``); ``join``: at any time; ``hold``: they wait until
    a file lists them; ``ignore``: they get no answer."""
    countdown: Annotated[StrictInt, Field(ge=1, le=300)] = 10
    """Seconds in which a key press on an unlisted machine stops it from joining."""
    wait: Annotated[StrictInt, Field(ge=1, le=3600)] = 30
    """Seconds that an unlisted machine waits when it cannot join, before it boots its own disk."""


class MenuEntry(Model):
    """An entry of the menu."""

    name: RuleTitle
    """What the screen shows."""
    script: FleetPath
    """The iPXE script that it runs, a file of the fleet."""


class Menu(Model):
    """The ``menu:`` part of ``fleet.yaml``: what machines with ``chain: menu`` offer at their screen."""

    timeout: Annotated[StrictInt, Field(ge=1, le=3600)] = 10
    """Seconds without a key press after which a machine boots its own chain."""
    entries: tuple[MenuEntry, ...] = ()
    """In this order, after the machine's own chain."""


class FleetFile(Model):
    """``fleet.yaml``: the domain and its records, whether new machines may join, and their rules."""

    domain: Domain = "lab.home.arpa"
    """DNS domain of the machines' names: two or more labels, not in ``.local``."""
    records: Mapping[RecordName, DnsRecords] = Field(default_factory=dict)
    """Further DNS records, by name below the domain (``@`` is the domain itself)."""
    private_domains: tuple[PrivateDomain, ...] = ()
    """Domains of others whose names may have private addresses; for all others such answers are dropped (DNS rebinding)."""
    enrolment: Enrolment = Enrolment()
    """Whether unlisted machines may join."""
    rules: tuple[Rule, ...] = ()
    """Assign unlisted machines to layers; the first match wins."""
    menu: Menu = Menu()
    """What machines with ``chain: menu`` offer at their screen."""
    assets: AssetsPart = AssetsPart()
    """Boot files: other versions, further files and mirrors."""
    router_pool: Pool | None = None
    """The addresses that your router hands out, from the first to the last; no cluster's ``vip`` may be among them."""
    backup: Backup | None = None
    """Where snapshots of etcd are copied, besides each daemon's own state directory, and Longhorn's volumes."""
    notifications: Annotated[Mapping[RecipientName, Recipient], Field(max_length=MOST_RECIPIENTS)] = Field(
        default_factory=dict
    )
    """Who is told what happens, by name: phones, chats and mailboxes."""
    registries: Registries = Registries()
    """Container images: registries of this network that nodes ask first."""
    max_attempts: Annotated[StrictInt, Field(ge=1, le=1000)] = 5
    """A machine is held after this many boots of one chain within an hour without progress."""


class ListedMachine(Struct, frozen=True):
    """A machine that the fleet lists, by its name.

    ``layer`` is the one that its file names, or means; None for one that runs something else than its layer.
    """

    name: str
    file: MachineFile
    layer: str | None


@dataclass(frozen=True)
class Fleet:
    """The declared state. Every layer that a machine would boot by, or a rule names, is in ``layers``."""

    settings: FleetFile = field(default_factory=FleetFile)
    layers: Mapping[str, Layer] = field(default_factory=dict)
    """By name, in the order of their files."""
    listed: tuple[ListedMachine, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """Machine configurations and scripts, by their path in the fleet."""
    sealed: frozenset[str] = frozenset()
    """Paths of those that are encrypted in the fleet, whether ``texts`` has them opened or not."""
    clusters: Mapping[str, ClusterFile] = field(default_factory=dict)
    """By their layer, the clusters that have their secrets."""
    recipients: RecipientsFile = field(default_factory=RecipientsFile)
    window: EnrolmentFile | None = None
    """When the enrolment window was last opened or closed; None if no commit says so."""
    lock: AssetsLock = field(default_factory=AssetsLock)
    """Which boot files were downloaded, and what ``stable`` means."""

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the machines listed."""
        return frozenset(machine.name for machine in self.listed)

    def pinned(self, lock: AssetsLock) -> Self:
        """Return it with the versions that ``stable`` stands for by ``lock``."""
        return replace(self, layers={name: layer.pinned(lock) for name, layer in self.layers.items()})

    def kind(self, layer: str | None) -> LayerKind | None:
        """Return the kind of a layer, None where the fleet has none of this name."""
        found = self.layers.get(layer or "")
        return found.kind if found else None

    def talos(self, layer: str | None) -> TalosLayer | None:
        """Return the layer of this name, if the fleet has it and it is of kind talos."""
        found = self.layers.get(layer or "")
        return found if isinstance(found, TalosLayer) else None

    def k3s(self, layer: str | None) -> K3sLayer | None:
        """Return the layer of this name, if the fleet has it and it is of kind k3s."""
        found = self.layers.get(layer or "")
        return found if isinstance(found, K3sLayer) else None

    def makes_configurations(self, layer: str | None) -> bool:
        """Say whether the daemon makes the machine configurations of a layer, and founds its cluster."""
        found = self.talos(layer)
        return found is not None and not found.config

    def has_cluster(self, layer: str | None) -> bool:
        """Say whether a layer has a cluster that the daemon has founded."""
        record = self.clusters.get(layer or "")
        return bool(record and record.founded) and self.makes_configurations(layer)

    def has_k3s_cluster(self, layer: str | None) -> bool:
        """Say whether a layer of kind k3s has a cluster that is founded, and whose machines the daemon configures."""
        record, found = self.clusters.get(layer or ""), self.k3s(layer)
        return bool(record and record.founded and found and not found.configures_itself)

    def machines(self, macs: Iterable[str], serial: str, uuid: UUID | None) -> tuple[ListedMachine, ...]:
        """Return every machine listed under one of these MACs, else the one under the serial number and UUID.

        A MAC tells more than those: clones have the same.
        """
        found = {one.name: one for mac in macs if (one := self._by_mac.get(mac))}
        if not found and serial and uuid and (listed := self._by_hardware.get(_hardware(serial, uuid))):
            return (listed,)
        return tuple(found.values())

    def machine_with(self, mac: str) -> ListedMachine | None:
        """Return the machine that is listed under a MAC, or None."""
        return self._by_mac.get(mac)

    @cached_property
    def _by_mac(self) -> Mapping[str, ListedMachine]:
        return {mac: machine for machine in self.listed for mac in machine.file.match.macs}

    @cached_property
    def _by_hardware(self) -> Mapping[tuple[str, UUID], ListedMachine]:
        keys = ((machine.file.match.hardware, machine) for machine in self.listed)
        return {key: machine for key, machine in keys if key}


def _hardware(serial: str, uuid: UUID) -> tuple[str, UUID]:
    return serial, min(uuid, swapped(uuid))
