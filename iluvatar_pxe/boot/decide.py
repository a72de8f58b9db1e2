"""Decides what a machine is served. Each step returns a plan, which ends the decision, or says why it continues."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct

from iluvatar_pxe.boot.assign import PlaceRequest
from iluvatar_pxe.boot.case import Case, Context, Subject, case_of
from iluvatar_pxe.boot.chains.choice import chain_plan, guarded, plans_in
from iluvatar_pxe.boot.chains.hold import hold_in_doubt
from iluvatar_pxe.boot.chains.menu import plan as menu_plan
from iluvatar_pxe.boot.enrolment import enrol
from iluvatar_pxe.boot.plan import AssignFirst, BootLocal, Chainload, Hold, Ignore, Plan
from iluvatar_pxe.boot.programs import PROGRAMS, coming_program, program_for
from iluvatar_pxe.boot.rules import title
from iluvatar_pxe.boot.screens import circle, conflict, failed, listed_twice, unlisted
from iluvatar_pxe.fleet.models import EnrolmentMode, Fleet, LocalMethod
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Intent, Phase
from iluvatar_pxe.values import replace


class Decision(Struct, frozen=True):
    """A plan, and what each step before it found, by the step's name."""

    plan: Plan
    case: Case
    findings: tuple[tuple[str, str], ...]


def decide(sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context) -> Decision:
    """Decide what the machine behind ``sighting`` is served, and keep what each step found.

    Firmware, and an iPXE without HTTP, first get an iPXE binary; iPXE and the operating system get what the steps
    decide.
    """
    case = case_of(sighting, snapshot, fleet, context)
    findings: list[tuple[str, str]] = []
    for name, step in STEPS.items():
        found = step(case)
        if not isinstance(found, str):
            findings.append((name, found.why))
            plan = _for_this_stage(case, _for_a_while(case, found))
            return Decision(plan, case, tuple(findings))
        findings.append((name, found))
    raise AssertionError("the last step always has a plan")


def _for_a_while(case: Case, plan: Plan) -> Plan:
    """Let a machine that is not the fleet's go on to its own disk once it has waited, unless its owner wants it to wait.

    One that may join waits for boot files that are under way.
    A Raspberry Pi is told at once that it gets nothing, and goes on by its own boot order.
    """
    if not isinstance(plan, Hold) or plan.wanted or plan.awaits_file or case.is_of_fleet or case.is_pi:
        return plan
    wait = case.fleet.settings.enrolment.wait
    if left := max(0, wait - case.sighting.waited):
        return replace(plan, why=f"{plan.why}; after {wait} s it boots its own disk", seconds=left)
    why = f"{plan.why}; it has waited for {wait} s, so it boots its own disk"
    return BootLocal(why=why, name=case.title, method=case.options.local)


def _for_this_stage(case: Case, final: Plan) -> Plan:
    if isinstance(final, Ignore) or not case.sighting.needs_ipxe:
        return final
    if isinstance(final, BootLocal) and final.method is LocalMethod.NOT_FOUND:
        return final
    return _chainload(case, final.why)


def _chainload(case: Case, then: str) -> Plan:
    sighting, ready = case.sighting, case.context.ready
    if sighting.platform is None or sighting.arch is None:
        return Ignore(f"no network boot program exists for {sighting.client}", notable=True)
    program = program_for(sighting.platform, sighting.arch, case.options.program, ready)
    if program:
        name = f"{sighting.firmware} without HTTP" if sighting.without_http else sighting.firmware
        return Chainload(f"{name} runs {program} first; then: {then}", program)
    fitting = PROGRAMS.get((sighting.platform, sighting.arch), ())
    if not fitting:
        return Ignore(f"no iPXE binary exists for {sighting.client}", notable=True)
    coming = coming_program(sighting.platform, sighting.arch, case.context)
    put = f"put {' or '.join(fitting)} into the folder ipxe of the assets directory"
    told = f"{coming.trouble}; {coming.remedy}" if coming else f"run 'iluvatar-pxe assets fetch', or {put}"
    return Ignore(f"no iPXE binary for {sighting.client}: {told}", notable=True)


def request(case: Case) -> Plan | str:
    """Whether it asks for a boot that exists here."""
    firmware = case.sighting.firmware
    if firmware is Firmware.NOT_BOOTING:
        return Ignore("does not ask for a boot")
    if firmware is Firmware.UNSUPPORTED:
        return Ignore(f"no network boot program exists for {case.sighting.client}", notable=True)
    if case.is_pi and case.sighting.routed:
        return Ignore(
            "a Raspberry Pi behind a relay cannot prove which one it is, so it gets no boot files; "
            "connect it to a network that this server serves",
            notable=True,
        )
    return f"asks for a boot: {firmware} on {case.arch}"


def identity(case: Case) -> Plan | str:
    """Whether it is clear which machine it is. To boot its own disk it need not be."""
    if case.machine is None:
        return "never seen before"
    if why := case.machine.conflict:
        if words := _ON_DISK.get(case.machine.phase):
            return BootLocal(why=f"{why}; it {words}, so it boots its disk", name=case.title, method=None)
        if case.options.chain == "local":
            why = f"{case.source} sets chain local"
            return BootLocal(why=why, name=case.title, method=case.options.local)
        return Hold(why=why, name=case.title, screen=conflict(case, why))
    if len(case.files) > 1:
        names = " and ".join(f"machines/{one.name}.yaml" for one in case.files)
        why = f"{names} list NICs of the same machine"
        return Hold(why=why, name=case.title, screen=listed_twice(case, why))
    return f"known by {', '.join(case.machine.macs)}"


def intent(case: Case) -> Plan | str:
    """Whether an intent overrides booting its chain."""
    wanted, why = _wanted(case)
    if wanted is Intent.IGNORE:
        return Ignore(why)
    if wanted is Intent.LOCAL:
        return BootLocal(why=why, name=case.title, method=case.options.local)
    if wanted is Intent.HOLD:
        screen = (f"It is held: {why}.", f"To let it boot: iluvatar-pxe machines release {case.title}")
        return Hold(why=why, name=case.title, screen=screen, wanted=True)
    return why if wanted is Intent.REINSTALL else "no override"


def attempts(case: Case) -> Plan | str:
    """Whether it is in a boot loop. A script of the fleet, and its own disk, it may boot as often as it likes."""
    chain = case.options.chain
    if case.machine is None or case.machine.phase is not Phase.FAILED or chain in {"ipxe", "local"}:
        return "no boot loop"
    return Hold(why=circle(case), name=case.title, screen=failed(case))


def menu(case: Case) -> Plan | str:
    """Whether its screen shows a menu first. A machine that is not the fleet's joins before it has one."""
    if case.options.chain != "menu" or not case.is_of_fleet or case.is_pi:
        return "no menu"
    return menu_plan(Subject(case, case.role)) or "its own chain was chosen"


def joined(case: Case) -> Plan | str:
    """Whether its operating system is on its disk."""
    words = _ON_DISK.get(case.machine.phase) if case.machine else None
    if words is None:
        return "has not joined yet"
    if not case.has_system or case.options.chain not in {None, "talos", "menu"}:
        return f"{words}, but boots its chain again"
    why = f"it {words}, so it boots its disk; to install it again: iluvatar-pxe machines reinstall"
    return BootLocal(why=why, name=case.title, method=case.options.local)


def place(case: Case) -> Plan | str:
    """Whether it has a place in the fleet, or may get one."""
    if case.listed:
        layer = f": layer {case.listed.layer}" if case.listed.layer else ""
        return f"listed by machines/{case.listed.name}.yaml{layer}"
    if case.assignment:
        return f"{case.assignment.name}, {case.assignment.role} of {case.assignment.layer}: {case.assignment.rule}"
    return _unheard(case) or _by_rule(case)


def _unheard(case: Case) -> Plan | None:
    """Hold a machine whose firmware lists a NIC that a file names: that claim alone does not prove its identity."""
    claimed = case.machine.claimed if case.machine else ()
    for one in case.fleet.machines(claimed, "", None):
        why = f"its firmware lists a NIC of machines/{one.name}.yaml, but that NIC has not been seen yet"
        mac = case.sighting.mac
        remedy = f'Boot it from that NIC once, or add "{mac}" to match.macs in machines/{one.name}.yaml.'
        return Hold(why=why, name=case.title, screen=(f"{why[0].upper()}{why[1:]}.", remedy))
    return None


def _by_rule(case: Case) -> Plan:
    if _is_ignored(case):
        return Ignore(f"no file of the fleet lists {case.sighting.mac}, and fleet.yaml ignores new machines")
    if case.open_rule and not case.has_told:
        why = f"{title(*case.open_rule)} can be checked only after iPXE has reported the hardware"
        return Hold(why=why, name=case.title, screen=(f"{why}.",))
    if case.matched is None:
        why = f"no file of the fleet lists {case.sighting.mac}, and no rule matches it"
        if (
            trouble := case.context.no_assignment
        ) and case.fleet == _NONE:  # has not been read yet; wait, or check its origin
            return Hold(why=f"no fleet is loaded yet: {trouble}", name=case.title, screen=(f"{trouble}.",))
        return Hold(why=why, name=case.title, screen=unlisted(case))
    number, rule = case.matched
    if rule.layer is None:
        return _of_rule(case, rule.intent, title(number, rule))
    return enrol(case, number, rule, rule.layer)


def assignment(case: Case) -> Plan | str:
    """Whether what its file says of its place is on record."""
    if case.listed is None or case.listed.layer is None or not case.has_told:
        return "no assignment to record"
    layer, role = case.listed.layer, case.role
    given = case.assignment
    if given and (given.name, given.layer, given.role) == (case.listed.name, layer, role):
        return f"recorded as {given.name}, {given.role} of {given.layer}"
    if unable := _unable(case, layer):
        return unable
    why = f"machines/{case.listed.name}.yaml lists it"
    if trouble := case.context.doubt or case.context.no_assignment:
        return _unrecorded(case, why, trouble)
    wanted = PlaceRequest(
        layer=layer,
        name=case.listed.name,
        role=role,
        may_lead=case.options.config is None,
        rule=f"machines/{case.listed.name}.yaml",
    )
    return AssignFirst(why=why, name=case.title, place=wanted)


def _unrecorded(case: Case, why: str, trouble: str) -> Plan | str:
    """Let it boot without a record where its file says all of its place; else hold it."""
    if case.role or case.options.chain:
        return f"its assignment is not recorded now: {trouble}"
    if case.context.doubt:
        return hold_in_doubt(case, f"{why}, and its role is to be chosen")
    text = f"{why}, but its role cannot be chosen: {trouble}"
    return Hold(why=text, name=case.title, screen=(f"{text}.",))


def _unable(case: Case, layer: str) -> Hold | None:
    """Return why it can boot in none of the roles that it could get, if it cannot: then it takes no place from others.

    A boot file that is missing may still come, and changes nothing about its place.
    """
    plans = plans_in(case, layer)
    lacks = [plan for plan in plans if isinstance(plan, Hold) and plan.lack and not plan.lack.file]
    return lacks[0] if len(lacks) == len(plans) else None


def chain(case: Case) -> Plan | str:
    """What it boots."""
    return guarded(chain_plan(Subject(case, case.role)), case)


_NONE = Fleet()
_ON_DISK = {Phase.INSTALLED: "has reported that it is installed", Phase.JOINED: "has joined"}
STEPS: Mapping[str, Callable[[Case], Plan | str]] = MappingProxyType(
    {
        "request": request,
        "intent": intent,
        "identity": identity,
        "menu": menu,
        "attempts": attempts,
        "joined": joined,
        "place": place,
        "assignment": assignment,
        "chain": chain,
    }
)


def _wanted(case: Case) -> tuple[Intent, str]:
    """Its file takes precedence over an intent set by hand, unless several files say different things of it."""
    agree = len({one.file.intent for one in case.files}) == 1
    if case.listed and agree and case.listed.file.intent not in {None, Intent.BOOT}:
        return Intent(
            case.listed.file.intent
        ), f"machines/{case.listed.name}.yaml sets intent {case.listed.file.intent}"
    directive = case.machine.directive if case.machine else None
    if directive is None or directive.intent is Intent.BOOT:
        return Intent.BOOT, ""
    return directive.intent, f"{directive.by} requested {directive.intent}" + (
        f": {directive.why}" if directive.why else ""
    )


def _is_ignored(case: Case) -> bool:
    """Say whether new machines get no answer, and no rule wants something else of this one."""
    answered = case.matched is not None and case.matched[1].intent in {Intent.LOCAL, Intent.HOLD}
    return case.fleet.settings.enrolment.mode is EnrolmentMode.IGNORE and not answered


def _of_rule(case: Case, wanted: Intent | None, source: str) -> Plan:
    why = f"{source} sets intent {wanted}"
    if wanted is Intent.IGNORE:
        return Ignore(why)
    if wanted is Intent.LOCAL:
        return BootLocal(why=why, name=case.title, method=case.options.local)
    screen = (
        "The fleet holds this machine:",
        f"{why}.",
        "Change that rule, or list the machine, to let it boot.",
    )
    return Hold(why=why, name=case.title, screen=screen, wanted=True)
