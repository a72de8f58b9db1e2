"""What is known of machines: immutable values, replaced when something changes."""

from collections.abc import Callable, Iterable
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from operator import attrgetter
from typing import Self, TypeAlias
from uuid import UUID

from msgspec import Struct, field
from rpds import HashTrieMap, HashTrieSet

from iluvatar_pxe.machines.boots import DHCP, Happening, Stage
from iluvatar_pxe.machines.hardware import Described, Hardware, hardware_of
from iluvatar_pxe.machines.inspection import Inspection
from iluvatar_pxe.machines.raspberry_pi import same_serial, serial_key
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Attempts, CleanUp, Directive, Intent, Phase
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

MOST_UNSURE = 8
_NO_DIRECTIVE, _NO_ATTEMPTS, _NO_REPORT, _NO_SEED = Directive(), Attempts(), Report(), Seed()
"""One of each for all machines: of those that pass by there are thousands."""


class Machine(Struct, frozen=True, kw_only=True):
    """One machine as observed and assigned. ``generation`` counts its boots, from 1."""

    id: UUID
    macs: tuple[str, ...]
    """MACs of NICs that it has sent packets from."""
    generation: int
    reached: Stage
    """The latest stage of this boot."""
    furthest: Stage
    """The latest stage of any boot."""
    first_seen: datetime
    last_seen: datetime
    firmware: Firmware
    arch: CpuArch | None = None
    uuid: UUID | None = None
    serial: str = ""
    manufacturer: str = ""
    product: str = ""
    board: str = ""
    address: IPv4Address | None = None
    phase: Phase = Phase.DISCOVERED
    directive: Directive = _NO_DIRECTIVE
    assignment: Assignment | None = None
    attempts: Attempts = _NO_ATTEMPTS
    conflict: str = ""
    """Why the machine's identity is unclear; empty when it is clear."""
    claimed: tuple[str, ...] = ()
    """Further NICs that its firmware lists, unverified: a NIC belongs to a machine once it has sent a packet."""
    apart: tuple[str, ...] = ()
    """MACs that were split off and are not this machine's, whatever its firmware lists."""
    unsure: tuple[str, ...] = ()
    """MACs of which only the owner can tell whether they are this machine's: of ``macs``, those of which nothing but they
    themselves says so; others asked for its configuration."""
    inspection: Inspection | None = None
    """What Talos read of its hardware; None while it has not."""
    report: Report = _NO_REPORT
    clean_up: CleanUp | None = None
    seed: Seed = _NO_SEED

    def with_unsure(self, mac: str) -> Self:
        """Return the machine with one more NIC in question; of too many that are not its own the oldest are forgotten."""
        if mac in self.unsure:
            return self
        strangers = [one for one in (*self.unsure, mac) if one not in self.macs][-MOST_UNSURE:]
        kept = (one for one in (*self.unsure, mac) if one in self.macs or one in strangers)
        return replace(self, unsure=tuple(kept))

    @property
    def is_crowded(self) -> bool:
        """Say whether so many NICs in question count as its own that no more may."""
        return len(set(self.unsure).intersection(self.macs)) >= MOST_UNSURE

    def is_as(self, before: "Machine") -> bool:
        """Say whether it is as it was before, but for when it was seen."""
        return self is before or _all_but_when(self) == _all_but_when(before)

    def seen_at(self, moment: datetime) -> Self:
        """Return it as seen at a later moment."""
        return replace(self, last_seen=moment)

    @property
    def title(self) -> str:
        """The name that it was given, else its first MAC; for one that a file lists see ``fleet.lookup.title_of``."""
        return self.assignment.name if self.assignment else self.macs[0]

    @property
    def is_installed(self) -> bool:
        """Say whether an operating system with its role in it is or may be on its disk, and is to stay there."""
        return self.directive.intent is not Intent.REINSTALL and self.phase in {
            Phase.INSTALLING,
            Phase.INSTALLED,
            Phase.JOINED,
        }

    @property
    def described(self) -> bool:
        """Say whether iPXE has told what hardware it is; firmware's DHCP tells a UUID at most."""
        return bool(self.serial or self.product or self.manufacturer)

    @property
    def transient(self) -> bool:
        """Say whether it never came further than DHCP, and nobody has decided anything about it."""
        if self.furthest not in DHCP or self.phase is not Phase.DISCOVERED or self.assignment:
            return False
        return self.directive == _NO_DIRECTIVE and not (self.conflict or self.apart)


_all_but_when = attrgetter(*(name for name in Machine.__struct_fields__ if name != "last_seen"))


def sighting_of(machine: Machine, firmware: Firmware | None = None) -> Sighting:
    """Return the sighting that a known machine would give, as the given firmware."""
    return Sighting(
        mac=machine.macs[0],
        firmware=firmware or machine.firmware,
        arch=machine.arch,
        uuid=machine.uuid,
        serial=machine.serial,
        manufacturer=machine.manufacturer,
        product=machine.product,
        board=machine.board,
        address=machine.address,
    )


class BootEvent(Struct, frozen=True, kw_only=True):
    """One stage of one boot, or something that happened in it.

    ``detail`` says what was served, ``cause`` why; then how much of it and in which time.
    """

    at: datetime
    machine_id: UUID
    generation: int
    stage: Stage | Happening
    detail: str
    cause: str = ""
    bytes: int = 0
    milliseconds: float = 0.0


def _nowhere(_: Machine) -> bool:
    return False


class Listed(Struct, frozen=True):
    """What the fleet says of the machine that a NIC belongs to: the NICs of its file, and who is another machine."""

    macs: tuple[str, ...] = ()
    elsewhere: Callable[[Machine], bool] = _nowhere
    """Say whether another file lists a machine: then its owner says that the two are not one."""
    anywhere: Callable[[Machine], bool] = _nowhere
    """Say whether any file lists a machine."""


NOT_LISTED = Listed()
"""No file lists the NIC."""


class Era:
    """Tells by its identity alone: snapshots are equal whose machines are."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Era)

    def __hash__(self) -> int:
        return 0


_NOBODY: "HashTrieSet[UUID]" = HashTrieSet()


class Snapshot(Struct, frozen=True):
    """All machines at one moment. A change makes a new one that shares nearly everything with the old."""

    by_id: "HashTrieMap[UUID, Machine]" = field(default_factory=HashTrieMap)
    owners: "HashTrieMap[str, UUID]" = field(default_factory=HashTrieMap)
    """By MAC, the machine that it belongs to."""
    twins: "HashTrieMap[Hardware, frozenset[UUID]]" = field(default_factory=HashTrieMap)
    """Machines by hardware identity."""
    serials: "HashTrieMap[str, HashTrieSet[UUID]]" = field(default_factory=HashTrieMap)
    """Machines by serial number, as ``serial_key`` has it; those that told none are left out."""
    era: Era = field(default_factory=Era)
    """The very same object in snapshots that differ only in when machines were seen."""

    @classmethod
    def of(cls, machines: Iterable[Machine]) -> Self:
        """Return the snapshot of these machines."""
        snapshot = cls()
        for machine in machines:
            snapshot = snapshot.with_machine(machine)
        return snapshot

    def machine(self, mac: str, listed: Iterable[str] = ()) -> Machine | None:
        """Return the machine that a MAC belongs to, else one that has a NIC of ``listed``, or None.

        ``listed`` are NICs that the fleet lists together with this one. What was split off stays apart.
        """
        for one in (mac, *listed):
            owner = self.owners.get(one)
            machine = None if owner is None else self.by_id.get(owner)
            if machine and mac not in machine.apart:
                return machine
        return None

    def machine_with_id(self, machine_id: UUID) -> Machine | None:
        """Return the machine with this id, or None."""
        return self.by_id.get(machine_id)

    def named(self, name: str) -> Machine | None:
        """Return the machine that was assigned this name, or None."""
        return next(
            (one for one in self.by_id.values() if one.assignment and one.assignment.name == name), None
        )

    def count_in(self, network: IPv4Network) -> int:
        """Return how many machines were last seen in a network; those that only asked by DHCP do not count."""
        return sum(
            not one.transient and one.address is not None and one.address in network
            for one in self.by_id.values()
        )

    def with_hardware(self, hardware: Hardware | None) -> tuple[Machine, ...]:
        """Return the machines that have this very hardware."""
        ids = self.twins.get(hardware, frozenset()) if hardware else frozenset()
        return tuple(self.by_id[one] for one in sorted(ids))

    def with_serial(self, serial: str) -> tuple[Machine, ...]:
        """Return the machines that told this serial number, in the form of Raspberry Pis too: see ``same_serial``."""
        ids = self.serials.get(serial_key(serial), _NOBODY)
        return tuple(one for id_ in sorted(ids) if same_serial((one := self.by_id[id_]).serial, serial))

    def ids_with(self, told: Described) -> frozenset[UUID]:
        """Return the ids of the machines that have the hardware which a machine or a sighting tells."""
        hardware = hardware_of(told)
        return self.twins.get(hardware, frozenset()) if hardware else frozenset()

    def with_machine(self, machine: Machine) -> Self:
        """Return the snapshot with this machine as it is now; its MACs belong to no other any more."""
        old = self.by_id.get(machine.id)
        twins, serials, owners = self.twins, self.serials, self.owners
        if old is None or old.macs != machine.macs:
            for mac in set(old.macs if old else ()) - set(machine.macs):
                owners = owners.discard(mac) if owners.get(mac) == machine.id else owners
            owners = owners.update(dict.fromkeys(machine.macs, machine.id))
        if old is None or (old.uuid, old.serial, old.product) != (
            machine.uuid,
            machine.serial,
            machine.product,
        ):
            before, now = hardware_of(old) if old else None, hardware_of(machine)
            twins = _joined(_left(twins, before, machine.id), now, machine.id)
        if (serial := old.serial if old else "") != machine.serial:
            serials = _without_serial(serials, serial, machine.id)
            serials = _with_serial(serials, machine.serial, machine.id)
        return type(self)(self.by_id.insert(machine.id, machine), owners, twins, serials)

    def with_seen(self, machine: Machine) -> Self:
        """Return the snapshot with a machine of which nothing is new but when it was seen."""
        return type(self)(
            self.by_id.insert(machine.id, machine), self.owners, self.twins, self.serials, self.era
        )

    def without(self, machine_id: UUID) -> Self:
        """Return the snapshot without this machine."""
        old = self.by_id.get(machine_id)
        if old is None:
            return self
        owners = self.owners
        for mac in old.macs:
            owners = owners.discard(mac) if owners.get(mac) == machine_id else owners
        twins = _left(self.twins, hardware_of(old), machine_id)
        serials = _without_serial(self.serials, old.serial, machine_id)
        return type(self)(self.by_id.remove(machine_id), owners, twins, serials)


_Twins: TypeAlias = "HashTrieMap[Hardware, frozenset[UUID]]"
_Serials: TypeAlias = "HashTrieMap[str, HashTrieSet[UUID]]"
"""Many may share one that nobody filled in, so the sets are persistent too."""


def _joined(twins: _Twins, hardware: Hardware | None, machine_id: UUID) -> _Twins:
    if hardware is None:
        return twins
    return twins.insert(hardware, twins.get(hardware, frozenset()) | {machine_id})


def _left(twins: _Twins, hardware: Hardware | None, machine_id: UUID) -> _Twins:
    if hardware is None:
        return twins
    others = twins.get(hardware, frozenset()) - {machine_id}
    return twins.insert(hardware, others) if others else twins.discard(hardware)


def _with_serial(serials: _Serials, serial: str, machine_id: UUID) -> _Serials:
    key = serial_key(serial)
    return serials.insert(key, serials.get(key, _NOBODY).insert(machine_id)) if serial else serials


def _without_serial(serials: _Serials, serial: str, machine_id: UUID) -> _Serials:
    if not serial:
        return serials
    key = serial_key(serial)
    others = serials.get(key, _NOBODY).discard(machine_id)
    return serials.insert(key, others) if len(others) else serials.discard(key)
