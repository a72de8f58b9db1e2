"""The one place that decides what a machine is served."""

from dataclasses import dataclass

from iluvatar_pxe.boot.chains import CHAINS
from iluvatar_pxe.boot.chains.subject import Subject
from iluvatar_pxe.boot.plan import BootLocal, Chainload, Ignore, Plan
from iluvatar_pxe.boot.programs import PROGRAMS, program_for
from iluvatar_pxe.fleet.models import Fleet, ListedMachine, LocalMethod
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.wire.pxe import CpuArch

_FIRST_STAGE = frozenset({Firmware.BIOS_PXE, Firmware.UEFI_PXE, Firmware.UEFI_HTTP})


@dataclass(frozen=True, slots=True)
class Context:
    """The rest that a decision needs: logical names of the assets that can be served now."""

    ready: frozenset[str] = frozenset()


def plan_for(sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context) -> Plan:
    """Decide what the machine behind ``sighting`` is served.

    A machine listed under any of its MACs gets what its file says, another what the fleet gives unlisted
    machines of its architecture. Firmware is first given an iPXE program; iPXE and the operating system get
    the chain itself.
    """
    if sighting.firmware is Firmware.NOT_BOOTING:
        return Ignore("does not ask for a boot")
    if sighting.firmware is Firmware.RASPBERRY_PI:
        return Ignore("a Raspberry Pi's own firmware, which this version does not serve", notable=True)
    if sighting.firmware is Firmware.UNSUPPORTED:
        return Ignore(f"no boot program exists here for {sighting.client}", notable=True)
    listed = fleet.machine(_known_macs(sighting, snapshot))
    subject = _subject(sighting, snapshot, fleet, context, listed)
    final = CHAINS[subject.boot.chain](subject)
    if sighting.firmware not in _FIRST_STAGE:
        return final
    if isinstance(final, BootLocal) and final.method is LocalMethod.NOT_FOUND:
        return final
    return _chainload(sighting, listed, context, final.why)


def _known_macs(sighting: Sighting, snapshot: Snapshot) -> tuple[str, ...]:
    machine = snapshot.machine(sighting.mac)
    return (sighting.mac, *sighting.macs, *(machine.macs if machine else ()))


def _subject(
    sighting: Sighting, snapshot: Snapshot, fleet: Fleet, context: Context, listed: ListedMachine | None
) -> Subject:
    machine = snapshot.machine(sighting.mac)
    arch = sighting.arch or (machine.arch if machine else None) or CpuArch.X86_64
    return Subject(
        sighting=sighting,
        boot=listed.file if listed else fleet.unlisted(arch),
        fleet=fleet,
        ready=context.ready,
        arch=arch,
        name=listed.name if listed else None,
    )


def _chainload(sighting: Sighting, listed: ListedMachine | None, context: Context, then: str) -> Plan:
    if sighting.platform is None or sighting.arch is None:
        return Ignore(f"no boot program exists here for {sighting.client}", notable=True)
    wanted = listed.file.program if listed else None
    program = program_for(sighting.platform, sighting.arch, wanted, context.ready)
    if program:
        return Chainload(f"{sighting.firmware} runs {program} first; then: {then}", program)
    fitting = PROGRAMS.get((sighting.platform, sighting.arch), ())
    if not fitting:
        return Ignore(f"no iPXE program exists for {sighting.client}", notable=True)
    remedy = f"install the package ipxe, or put {' or '.join(fitting)} into the folder ipxe of the assets directory"
    return Ignore(f"no iPXE program for {sighting.client}: {remedy}", notable=True)
