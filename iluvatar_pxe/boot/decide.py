"""The one place that decides what a machine is served."""

from dataclasses import dataclass

from iluvatar_pxe.boot.case import Case, Context, case_of
from iluvatar_pxe.boot.plan import BootLocal, Chainload, Ignore, Plan
from iluvatar_pxe.boot.programs import PROGRAMS, program_for
from iluvatar_pxe.boot.steps import STEPS
from iluvatar_pxe.fleet.models import Fleet, LocalMethod
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting

__all__ = ["Context", "Decision", "decide", "plan_for"]

_FIRST_STAGE = frozenset({Firmware.BIOS_PXE, Firmware.UEFI_PXE, Firmware.UEFI_HTTP})


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what each step on the way to it found, by the step's name."""

    plan: Plan
    case: Case
    findings: tuple[tuple[str, str], ...]


def plan_for(sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context) -> Plan:
    """Decide what the machine behind ``sighting`` is served.

    Firmware is first given an iPXE program; iPXE and the operating system get what the steps decide.
    """
    return decide(sighting, snapshot, fleet, context).plan


def decide(sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context) -> Decision:
    """Decide like ``plan_for``, and keep what each step found."""
    case = case_of(sighting, snapshot, fleet, context)
    findings: list[tuple[str, str]] = []
    for name, step in STEPS.items():
        found = step(case)
        if not isinstance(found, str):
            findings.append((name, found.why))
            return Decision(_for_this_stage(case, found), case, tuple(findings))
        findings.append((name, found))
    raise AssertionError("the last step always has a plan")


def _for_this_stage(case: Case, final: Plan) -> Plan:
    if isinstance(final, Ignore) or case.sighting.firmware not in _FIRST_STAGE:
        return final
    if isinstance(final, BootLocal) and final.method is LocalMethod.NOT_FOUND:
        return final
    return _chainload(case, final.why)


def _chainload(case: Case, then: str) -> Plan:
    sighting, ready = case.sighting, case.context.ready
    if sighting.platform is None or sighting.arch is None:
        return Ignore(f"no boot program exists here for {sighting.client}", notable=True)
    program = program_for(sighting.platform, sighting.arch, case.options.program, ready)
    if program:
        return Chainload(f"{sighting.firmware} runs {program} first; then: {then}", program)
    fitting = PROGRAMS.get((sighting.platform, sighting.arch), ())
    if not fitting:
        return Ignore(f"no iPXE program exists for {sighting.client}", notable=True)
    remedy = f"install the package ipxe, or put {' or '.join(fitting)} into the folder ipxe of the assets directory"
    return Ignore(f"no iPXE program for {sighting.client}: {remedy}", notable=True)
