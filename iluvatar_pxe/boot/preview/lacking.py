"""What machines would lack that boot as the fleet says, before one of them tries: by the plans that they would get."""

from collections.abc import Iterator

from msgspec import Struct

from iluvatar_pxe.boot.case import Case, Context, Subject
from iluvatar_pxe.boot.chains.choice import chain_plan
from iluvatar_pxe.boot.missing import lack_of
from iluvatar_pxe.boot.plan import Hold, Lack
from iluvatar_pxe.boot.preview.asker import NO_MAC, firmware_of
from iluvatar_pxe.fleet.models import Boot, Fleet, ListedMachine, Rule
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Intent, LayerKind, Role
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.pxe import CpuArch

_ROLES = {LayerKind.TALOS: (Role.CONTROLPLANE, Role.WORKER), LayerKind.K3S: (Role.SERVER,)}
_MOST_FILES = 20
"""Missing files of one machine that are told."""


class Shortage(Struct, frozen=True):
    """What is missing, and for whom; ``listed`` says whether a machine's file needs it, and not only a rule."""

    source: str
    lack: Lack
    listed: bool

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"{self.source}: {self.lack.trouble}; {self.lack.remedy}"

    def told_by(self, context: Context) -> "Shortage":
        """Return it with what is told now of the boot file, if it is one: how far it is changes at any moment."""
        return replace(self, lack=lack_of(self.lack.file, context)) if self.lack.file else self


def shortages(fleet: Fleet, context: Context) -> tuple[Shortage, ...]:
    """Return everything that listed machines, then machines that a rule lets join, would lack, each once."""
    found: dict[Lack, Shortage] = {}
    for case in (*_listed(fleet, context), *_by_rules(fleet, context)):
        for lack in _lacks(case):
            found.setdefault(lack, Shortage(case.source, lack, listed=bool(case.files)))
    return tuple(found.values())


def _listed(fleet: Fleet, context: Context) -> Iterator[Case]:
    """Return one case for all machines whose files say the same."""
    alike = {(one.layer, one.file.role, _boot_of(one)): one for one in reversed(fleet.listed) if _boots(one)}
    for listed in reversed(alike.values()):
        firmware = firmware_of(listed.layer, listed.file, fleet)
        yield _case(fleet, context, firmware, files=(listed,))


def _boots(listed: ListedMachine) -> bool:
    return listed.file.intent in {None, Intent.BOOT}


def _boot_of(listed: ListedMachine) -> str:
    return listed.file.model_dump_json(include=set(Boot.model_fields))


def _by_rules(fleet: Fleet, context: Context) -> Iterator[Case]:
    for number, rule in enumerate(fleet.settings.rules, 1):
        if rule.layer:
            yield _case(fleet, context, firmware_of(rule.layer, rule, fleet), matched=(number, rule))


def _case(
    fleet: Fleet,
    context: Context,
    firmware: Firmware,
    *,
    files: tuple[ListedMachine, ...] = (),
    matched: tuple[int, Rule] | None = None,
) -> Case:
    """Return the case of a machine that was not seen."""
    return Case(
        sighting=Sighting(mac=NO_MAC, firmware=firmware),
        machine=None,
        fleet=fleet,
        context=context,
        arch=CpuArch.X86_64,
        files=files,
        matched=matched,
        open_rule=None,
    )


def _lacks(case: Case) -> Iterator[Lack]:
    """Return what a machine lacks of one architecture, where it would boot with none."""
    by_arch = [list(_lacks_as(replace(case, arch=arch))) for arch in (CpuArch.X86_64, CpuArch.ARM64)]
    yield from min(by_arch, key=len)


def _lacks_as(case: Case) -> Iterator[Lack]:
    kind = case.fleet.kind(case.layer)
    for role in (case.role,) if case.role or kind is None else _ROLES[kind]:
        subject = Subject(case, role)
        for _ in range(_MOST_FILES):
            plan = chain_plan(subject)
            if not isinstance(plan, Hold) or plan.lack is None:
                break
            yield plan.lack
            if not plan.lack.file:
                break
            known = subject.case.context
            context = replace(known, ready=known.ready | {plan.lack.file})
            subject = Subject(replace(case, context=context), role)
