"""One more sighting of a machine: what is known of it afterwards."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.machines.boots import Stage, begins_boot
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.raspberry_pi import MAKER
from iluvatar_pxe.machines.sighting import Firmware, Sighting
from iluvatar_pxe.machines.states import Attempts, Directive, Intent, Phase, Wipe
from iluvatar_pxe.values import replace

_VAGUE = (Firmware.NOT_BOOTING, Firmware.TALOS, Firmware.UNSUPPORTED, Firmware.IPXE)
"""Those that do not tell which firmware the machine has, least telling first."""
_INSTALLING = frozenset({"talos", "raspberry-pi"})
"""Chains that boot an operating system, which may fail; a script of the fleet may be run as often as one likes."""
_SCRIPTS = frozenset({Stage.SCRIPT, Stage.CONFIRM})
_PHASES = {
    Stage.CONFIG: Phase.INSTALLING,
    Stage.INSTALLED: Phase.INSTALLED,
    Stage.JOINED: Phase.JOINED,
}
"""What a machine is once it has come to a stage."""
_FORWARD = tuple(_PHASES.values())


class Step(Struct, frozen=True):
    """A stage that a boot came to. ``chain`` names the boot chain when its script was served.

    After ``most_attempts`` boots of an operating system's chain within an hour, none of them further than an earlier one, the next
    one fails.
    """

    stage: Stage
    now: datetime
    chain: str = ""
    most_attempts: int = 5


def first_seen(sighting: Sighting, step: Step, fresh_id: UUID) -> Machine:
    """Return a machine that nobody has seen before."""
    nobody = Machine(
        id=fresh_id,
        macs=(sighting.mac,),
        generation=0,
        reached=step.stage,
        furthest=step.stage,
        first_seen=step.now,
        last_seen=step.now,
        firmware=sighting.firmware,
    )
    return _boot_went_on(replace(_told(nobody, sighting, step.stage), generation=1), step)


def observed(known: Machine, sighting: Sighting, step: Step) -> Machine:
    """Return the machine as known after ``sighting`` at ``step``.

    Within a boot ``reached`` never goes back; a new boot counts ``generation`` up by one. What the sighting
    leaves empty stays as it was, and where its identity is in doubt nothing is learned.
    """
    machine = known if known.conflict else _told(known, sighting, step.stage)
    if begins_boot(known.reached, step.stage):
        machine = _boot_began(machine, step)
    return _boot_went_on(machine, step)


def more_telling(firmware: Firmware, than: Firmware) -> bool:
    """Say whether ``firmware`` says more about what the machine has built in (iPXE, Talos: come later)."""
    return _telling(firmware) > _telling(than)


def _told(known: Machine, sighting: Sighting, stage: Stage) -> Machine:
    by_script = bool(sighting.macs)  # an iPXE script reports the mainboard's UUID, a NIC's option 97 its own
    if not by_script and known.manufacturer not in {
        "",
        MAKER,
    }:  # DHCP in its name makes no Pi of another machine
        sighting = replace(sighting, serial="", manufacturer="", product="", board="")
    return replace(
        known,
        firmware=sighting.firmware if _tells_firmware(known.firmware, sighting, stage) else known.firmware,
        arch=sighting.arch or known.arch,
        uuid=(sighting.uuid or known.uuid) if by_script else (known.uuid or sighting.uuid),
        serial=sighting.serial or known.serial,
        manufacturer=sighting.manufacturer or known.manufacturer,
        product=sighting.product or known.product,
        board=sighting.board or known.board,
        address=sighting.address or known.address,
    )


def _boot_began(machine: Machine, step: Step) -> Machine:
    """Count the boot; a machine in a boot loop has failed. One that boots its own disk is in none."""
    from_disk = step.stage is Stage.STARTED or machine.phase in {Phase.INSTALLED, Phase.JOINED}
    tired = machine.attempts.lately(step.now) >= step.most_attempts and not from_disk
    return replace(
        machine,
        generation=machine.generation + 1,
        reached=step.stage,
        phase=Phase.FAILED if tired else machine.phase,
    )


def _boot_went_on(machine: Machine, step: Step) -> Machine:
    machine = replace(
        machine,
        reached=max(machine.reached, step.stage),
        furthest=max(machine.furthest, step.stage),
        last_seen=step.now,
    )
    if step.chain and step.stage in _SCRIPTS:
        machine = replace(_attempted(machine, step), phase=Phase.BOOTING)
    if step.stage > machine.attempts.best and machine.attempts.boot == machine.generation:
        progress = replace(machine.attempts, best=step.stage, starts=machine.attempts.starts[-1:])
        machine = replace(machine, attempts=progress)
    if step.stage is Stage.INITRAMFS:
        machine = _with_wipe(machine, machine.directive.wipe.after_that_boot)
    if step.stage >= Stage.INSTALLED and machine.directive.intent is not Intent.REINSTALL:
        machine = _with_wipe(machine, Wipe.NO)
    return _in_phase(machine, step.stage)


def _with_wipe(machine: Machine, wipe: Wipe) -> Machine:
    return replace(machine, directive=replace(machine.directive, wipe=wipe))


def _attempted(machine: Machine, step: Step) -> Machine:
    if step.chain not in _INSTALLING:
        return replace(machine, attempts=Attempts())
    attempts = machine.attempts
    if attempts.chain != step.chain:
        attempts = Attempts(chain=step.chain, best=step.stage)
    if attempts.boot != machine.generation:
        starts = (*attempts.starts, step.now)[-step.most_attempts :]
        attempts = replace(attempts, starts=starts, boot=machine.generation)
    return replace(machine, attempts=attempts)


def _in_phase(machine: Machine, stage: Stage) -> Machine:
    """A boot of its chain takes a machine back to ``booting``; from there on it only goes forward.

    With its configuration, the directive to install it once more is granted. That its disk may be erased holds until it
    is installed: the power may fail before anything was erased.
    """
    phase = _PHASES.get(stage, machine.phase)
    if phase is machine.phase or machine.phase in _FORWARD[_FORWARD.index(phase) :]:
        return machine
    if stage is Stage.CONFIG and machine.directive.intent is Intent.REINSTALL:
        machine = replace(machine, directive=Directive(wipe=machine.directive.wipe))
    if phase is Phase.JOINED:
        machine = replace(machine, attempts=Attempts(), report=replace(machine.report, faults=()))
    return replace(machine, phase=phase)


def _tells_firmware(known: Firmware, sighting: Sighting, stage: Stage) -> bool:
    """Only firmware's own DISCOVER may replace another firmware (its owner changed BIOS to UEFI, PXE to HTTP)."""
    if more_telling(sighting.firmware, known):
        return True
    return stage is Stage.DISCOVER and not more_telling(known, sighting.firmware)


def _telling(firmware: Firmware) -> int:
    return _VAGUE.index(firmware) if firmware in _VAGUE else len(_VAGUE)
