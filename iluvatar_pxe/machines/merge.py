"""Merges two machines into one, and splits one into two."""

from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.machines.hardware import telling_serial, telling_uuid
from iluvatar_pxe.machines.model import Machine
from iluvatar_pxe.machines.observe import more_telling
from iluvatar_pxe.machines.states import CleanUp, Directive, Phase
from iluvatar_pxe.values import replace


class Merge(Struct, frozen=True):
    """``absorbed`` is ``survivor`` now. Its boots count on after the survivor's: 1 becomes ``offset`` + 1.

    ``current`` is the survivor's boot under way, which then gets the number ``current_becomes``; the two are equal
    where it is the absorbed machine that is booting.
    """

    absorbed: UUID
    survivor: UUID
    offset: int
    current: int
    current_becomes: int

    def renamed(self, machine_id: UUID, generation: int) -> tuple[UUID, int]:
        """Return the machine and the number that a boot has after this merge."""
        if machine_id == self.absorbed:
            return self.survivor, generation + self.offset
        if machine_id == self.survivor and generation == self.current:
            return machine_id, self.current_becomes
        return machine_id, generation


def merge(one: Machine, other: Machine, speaking: UUID) -> tuple[Machine, Merge]:
    """Return the machine that both are, and how the boots are counted; ``speaking`` is the id of the booting one.

    The one that was assigned lives on, else the one that came further, else the one seen first. Its assignment
    and what is wanted of it stay; what it has not told is the other's.
    """
    survivor, absorbed = sorted((one, other), key=_seniority)
    total = survivor.generation + absorbed.generation
    speaks = absorbed if speaking == absorbed.id else survivor
    done = Merge(
        absorbed=absorbed.id,
        survivor=survivor.id,
        offset=survivor.generation,
        current=survivor.generation,
        current_becomes=survivor.generation if speaks is absorbed else total + 1,
    )
    return _united(survivor, absorbed, speaks, done), done


def split(machine: Machine, mac: str, fresh_id: UUID) -> tuple[Machine, Machine]:
    """Return the machine without the NIC ``mac``, and a new machine that has only this NIC.

    They stay apart, whatever firmware says, until somebody merges them.

    Raises ValueError when the machine lacks this NIC, or has no other.
    """
    if mac not in machine.macs:
        raise ValueError(f"{machine.title} has no NIC {mac}; it has {', '.join(machine.macs)}")
    if len(machine.macs) == 1:
        raise ValueError(f"{mac} is the only NIC of {machine.title}; to start over, forget it")
    macs = tuple(one for one in machine.macs if one != mac)
    unsure = tuple(one for one in machine.unsure if one != mac)
    rest = replace(machine, macs=macs, conflict="", apart=(*machine.apart, mac), unsure=unsure)
    card = Machine(
        id=fresh_id,
        macs=(mac,),
        generation=1,
        reached=machine.reached,
        furthest=machine.reached,
        first_seen=machine.last_seen,
        last_seen=machine.last_seen,
        firmware=machine.firmware,
        arch=machine.arch,
        apart=macs,
    )
    return rest, card


def _seniority(machine: Machine) -> tuple[bool, bool, object, UUID]:
    return (
        machine.assignment is None,
        machine.phase is Phase.DISCOVERED,
        (-machine.furthest, machine.first_seen),
        machine.id,
    )


def _united(survivor: Machine, absorbed: Machine, speaks: Machine, done: Merge) -> Machine:
    _, generation = done.renamed(speaks.id, speaks.generation)
    _, counted = done.renamed(survivor.id, survivor.attempts.boot)
    _, seeded = done.renamed(survivor.id, survivor.seed.boot)
    _, started = done.renamed(survivor.id, survivor.report.boot)
    macs = tuple(dict.fromkeys(survivor.macs + absorbed.macs))
    return replace(
        survivor,
        macs=macs,
        apart=tuple(mac for mac in dict.fromkeys(survivor.apart + absorbed.apart) if mac not in macs),
        claimed=tuple(mac for mac in dict.fromkeys(survivor.claimed + absorbed.claimed) if mac not in macs),
        unsure=tuple(
            mac for one in (survivor, absorbed) for mac in one.unsure if mac in one.macs or mac not in macs
        ),
        generation=generation,
        reached=speaks.reached,
        furthest=max(survivor.furthest, absorbed.furthest),
        first_seen=min(survivor.first_seen, absorbed.first_seen),
        last_seen=max(survivor.last_seen, absorbed.last_seen),
        firmware=absorbed.firmware
        if more_telling(absorbed.firmware, survivor.firmware)
        else survivor.firmware,
        arch=survivor.arch or absorbed.arch,
        uuid=telling_uuid(survivor.uuid) or absorbed.uuid or survivor.uuid,
        serial=telling_serial(survivor.serial) or absorbed.serial or survivor.serial,
        manufacturer=survivor.manufacturer or absorbed.manufacturer,
        product=survivor.product or absorbed.product,
        board=survivor.board or absorbed.board,
        address=speaks.address or survivor.address or absorbed.address,
        attempts=replace(survivor.attempts, boot=counted),
        directive=survivor.directive if survivor.directive != Directive() else absorbed.directive,
        conflict="",
        inspection=survivor.inspection or absorbed.inspection,
        report=replace(survivor.report, boot=started),
        seed=replace(survivor.seed, boot=seeded),
        clean_up=_left(survivor, done) or _left(absorbed, done),
    )


def _left(machine: Machine, done: Merge) -> CleanUp | None:
    """Return what is left to do after one of the two, by the boots as they are counted now."""
    if machine.clean_up is None:
        return None
    _, boot = done.renamed(machine.id, machine.clean_up.boot)
    return replace(machine.clean_up, boot=boot)
