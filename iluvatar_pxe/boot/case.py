"""Everything known about the requesting machine, collected once for the decision steps."""

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from iluvatar_pxe.boot.rules import Asker, matching_rule, may_match, title
from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.fleet.lookup import role_of, root_of, title_of
from iluvatar_pxe.fleet.models import Boot, Fleet, ListedMachine, Rule
from iluvatar_pxe.fleet.nics import machine_with
from iluvatar_pxe.fleet.root import RootKind
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Assignment, Intent, LayerKind, Phase, Role
from iluvatar_pxe.wire.pxe import CpuArch


def _unknown(_: Machine, __: Fleet) -> str:
    return ""


class Context(Struct, frozen=True, kw_only=True):
    """The rest that a decision needs.

    ``ready`` are logical names of the assets that can be served now, ``links`` those of links that are not, with the
    reason. ``coming`` are wanted assets that are not there yet, with the state of their download; a name that ends with
    ``/`` stands for each file of that folder. ``doubt`` says why the request may not come
    from the machine that it names, ``no_assignment`` why nothing can be assigned now; both are empty when all is
    well. ``confirmed``: the countdown on the machine's screen has run out. ``no_disk`` says why Talos is not installed
    on a machine that boots it; empty where nothing keeps it from that.
    """

    ready: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    coming: Coming = field(default_factory=dict)
    doubt: str = ""
    window_open: bool = False
    no_assignment: str = ""
    confirmed: bool = False
    no_disk: Callable[[Machine, Fleet], str] = _unknown


class Case(Struct, frozen=True, kw_only=True):
    """One machine that asks: what was seen of it, what the fleet says of it, and the state of this server."""

    sighting: Sighting
    machine: Machine | None
    fleet: Fleet
    context: Context
    arch: CpuArch
    files: tuple[ListedMachine, ...]
    """Files of the fleet that list it: more than one is a fault."""
    matched: tuple[int, Rule] | None
    """The first rule that matches it, and its number; None for a machine that a file lists."""
    open_rule: tuple[int, Rule] | None
    """The first earlier rule that might match once more is known about the machine."""
    twin: str = ""
    """What the machine is called that told this Raspberry Pi's serial number before; empty where there is none."""

    @property
    def listed(self) -> ListedMachine | None:
        """The file that lists it."""
        return self.files[0] if self.files else None

    @property
    def assignment(self) -> Assignment | None:
        """The name and role that it was given."""
        return self.machine.assignment if self.machine else None

    @property
    def is_of_fleet(self) -> bool:
        """Say whether a file lists it, or it was given a name."""
        return bool(self.files) or self.assignment is not None

    @property
    def is_pi(self) -> bool:
        """Say whether a Raspberry Pi's own firmware asks, which runs no iPXE."""
        return self.sighting.firmware is Firmware.RASPBERRY_PI

    @property
    def has_told(self) -> bool:
        """Say whether it has told all that it will: iPXE by its script, a Pi from the first."""
        return bool(self.sighting.macs) or self.is_pi

    @property
    def product(self) -> str:
        """Which product it says that it is, now or before."""
        return self.sighting.product or (self.machine.product if self.machine else "")

    @property
    def title(self) -> str:
        """What the machine is called on screens and in logs."""
        if self.listed:
            return self.listed.name
        return self.machine.title if self.machine else self.sighting.mac

    @property
    def layer(self) -> str | None:
        """The layer that it belongs to: its file's, else its assignment's, else its rule's."""
        if self.listed:
            return self.listed.layer
        if self.assignment:
            return self.assignment.layer
        return self.matched[1].layer if self.matched else None

    @property
    def role(self) -> Role | None:
        """The role that it has, None while that is to be chosen. An installed machine keeps the one it has."""
        role = role_of(self.machine, self.listed)
        return role or (self.rule.role if self.rule else None)

    @property
    def is_installed(self) -> bool:
        """Say whether an operating system with its role in it is on its disk, and is to stay there."""
        return self.machine is not None and self.machine.is_installed

    @property
    def board(self) -> str:
        """Say which mainboard it has, of a Pi its revision, now or before."""
        return self.sighting.board or (self.machine.board if self.machine else "")

    @property
    def has_system(self) -> bool:
        """Say whether it has reported that its operating system is on its disk, and nobody wants it installed again."""
        machine = self.machine
        if machine is None or machine.phase not in {Phase.INSTALLED, Phase.JOINED} or self.is_in_memory:
            return False
        return machine.directive.intent is not Intent.REINSTALL

    @property
    def is_in_memory(self) -> bool:
        """Say whether its operating system is loaded into memory at each boot, so that none is on its disk."""
        layer = self.fleet.k3s(self.layer)
        return layer is not None and root_of(layer, self.listed).kind is RootKind.MEMORY

    @property
    def rule(self) -> Rule | None:
        """The rule that speaks for it: not of a listed machine, nor of one that was assigned to another layer."""
        if self.listed or self.matched is None:
            return None
        rule = self.matched[1]
        return None if self.assignment and rule.layer != self.assignment.layer else rule

    @property
    def options(self) -> Boot:
        """What its file or its rule says of how it boots."""
        return self.listed.file if self.listed else (self.rule or _NOTHING)

    @property
    def source(self) -> str:
        """What decides its boot, in words."""
        if self.listed:
            return f"machines/{self.listed.name}.yaml"
        if self.assignment:
            return f"{self.assignment.rule}, as {self.assignment.role} of {self.assignment.layer}"
        return title(*self.matched) if self.matched else "no rule of fleet.yaml"


_NOTHING = Boot()


def case_of(sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context) -> Case:
    """Gather what is known. Without a word about its architecture a machine counts as x86-64."""
    machine = machine_with(sighting.mac, snapshot, fleet)
    arch = sighting.arch or (machine.arch if machine else None) or CpuArch.X86_64
    macs = machine.macs if machine else (sighting.mac,)
    serial = sighting.serial or (machine.serial if machine else "")
    uuid = (machine.uuid if machine else None) or sighting.uuid
    files = fleet.machines(macs, serial, uuid)
    rules, asker = () if files else fleet.settings.rules, asker_of(sighting, machine, arch)
    matched = matching_rule(rules, asker) if rules else None
    earlier = enumerate(rules[: matched[0] - 1] if matched else rules, 1)
    return Case(
        sighting=sighting,
        machine=machine,
        fleet=fleet,
        context=context,
        arch=arch,
        files=files,
        matched=matched,
        open_rule=next(((number, rule) for number, rule in earlier if may_match(rule, asker)), None),
        twin=_twin(machine, serial, snapshot, fleet) if sighting.firmware is Firmware.RASPBERRY_PI else "",
    )


def _twin(machine: Machine | None, serial: str, snapshot: Snapshot, fleet: Fleet) -> str:
    """Return what the first other machine is called that has this serial number, and more than asked once."""
    if not serial:
        return ""
    others = snapshot.with_serial(serial)
    settled = (one for one in others if one.phase is not Phase.DISCOVERED or one.assignment)
    earlier = [
        one
        for one in settled
        if machine is None or (one.id != machine.id and one.first_seen < machine.first_seen)
    ]
    return title_of(min(earlier, key=lambda one: one.first_seen), fleet) if earlier else ""


def asker_of(sighting: Sighting, machine: Machine | None, arch: CpuArch) -> Asker:
    """Return the traits that rules look at: what this message tells, else what was told before."""
    told: Mapping[str, str] = {
        key: getattr(sighting, key) or (getattr(machine, key) if machine else "")
        for key in ("board", "manufacturer", "product", "serial")
    }
    firmware = machine.firmware if machine and sighting.firmware in _LATER else sighting.firmware
    return Asker(
        macs=machine.macs if machine else (sighting.mac,),
        arch=arch,
        firmware=firmware,
        address=sighting.address or (machine.address if machine else None),
        **told,
    )


_LATER = frozenset({Firmware.IPXE, Firmware.TALOS})
"""Those that run after the machine's own firmware, which is what a rule means."""


class Subject(Struct, frozen=True):
    """A machine in a role, which may be one that it would only get."""

    case: Case
    role: Role | None

    @property
    def title(self) -> str:
        """What the machine is called on screens and in logs."""
        return self.case.title

    @property
    def fleet(self) -> Fleet:
        """The declared state."""
        return self.case.fleet

    @property
    def ready(self) -> frozenset[str]:
        """Logical names of the assets that can be served."""
        return self.case.context.ready

    @property
    def arch(self) -> CpuArch:
        """The processor's architecture."""
        return self.case.arch

    def layers_of(self, kind: LayerKind) -> str:
        """Return in words where a machine belongs that is of another kind of layer than its own."""
        names = [name for name, layer in self.fleet.layers.items() if layer.kind is kind]
        return f"layer {' or '.join(names)}" if names else f"a layer of kind {kind}"

    @property
    def options(self) -> Boot:
        """What its file or its rule says of how it boots."""
        return self.case.options

    @property
    def why(self) -> str:
        """What makes it boot this way."""
        if self.options.chain:
            return f"{self.case.source} sets chain {self.options.chain}"
        return f"{self.case.source} assigns it to layer {self.case.layer}"
