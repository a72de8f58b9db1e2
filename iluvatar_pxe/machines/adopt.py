"""Machines met while the database could not be opened, and the same machines in the database.

The database's id wins. It may be named in other rows, in the fleet's history and by other servers, while the
id made in memory has lived for a few boots at most. The boots seen meanwhile are later than all those recorded,
so they are counted on: a machine at boot 7 that memory saw boot twice is at boot 9. A ticket bound to
the id or boot number in memory dies with them, as any ticket does at its machine's next boot; that the database
comes back just between the making of a ticket and its use costs that machine one boot more.
"""

from collections.abc import Collection, Mapping
from uuid import UUID

from msgspec import Struct

from iluvatar_pxe.machines.hardware import telling_serial, telling_uuid
from iluvatar_pxe.machines.merge import Merge
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.observe import more_telling
from iluvatar_pxe.machines.report import Report
from iluvatar_pxe.machines.seed import Seed
from iluvatar_pxe.machines.states import Assignment, Attempts, CleanUp, Directive, Phase
from iluvatar_pxe.values import replace


class Adoption(Struct, frozen=True):
    """``snapshot`` holds everything known; ``merges`` are of machines in memory into those of the database."""

    snapshot: Snapshot
    merges: tuple[Merge, ...]
    unwritten: tuple[Machine, ...]
    """Machines that the database lacks or knows less of."""


def adopt(memory: Snapshot, stored: Snapshot, gone: Collection[UUID]) -> Adoption:
    """Unite what memory has with what the database has; where both have a machine by one id, memory is newer.

    ``gone`` are ids that the database has and that are no more. A MAC that several machines of the database
    share with one of memory brings only the first together: what is one machine is not decided here.
    """
    for machine_id in gone:
        stored = stored.without(machine_id)
    united, merges, unwritten = stored, [], {}
    holders = _holders(stored)
    for machine in memory.by_id.values():
        if twin := stored.machine_with_id(machine.id):
            known = _with_free(machine, twin, holders)
            united = united.with_machine(known)
            if known != twin:
                unwritten[known.id] = known
    for machine in sorted(memory.by_id.values(), key=lambda one: (one.first_seen, one.id)):
        if machine.id not in stored.by_id:
            twin = next((one for mac in machine.macs if (one := united.machine(mac))), None)
            known = _with_free(_united(twin, machine, united) if twin else machine, twin, holders)
            merges += [_merge(twin, machine)] if twin else []
            united = united.with_machine(known)
            unwritten[known.id] = known
    return Adoption(united, tuple(merges), tuple(unwritten.values()))


_Holders = Mapping[tuple[str, str], UUID]


def _holders(stored: Snapshot) -> _Holders:
    return {
        (one.assignment.layer, one.assignment.name): one.id for one in stored.by_id.values() if one.assignment
    }


def _with_free(machine: Machine, twin: Machine | None, holders: _Holders) -> Machine:
    """The database knows best who has which name: its own file may have been put in the place of another."""
    return replace(machine, assignment=(twin and twin.assignment) or _free(machine, holders))


def _free(machine: Machine, holders: _Holders) -> Assignment | None:
    given = machine.assignment
    return given if given and holders.get((given.layer, given.name), machine.id) == machine.id else None


def _merge(stored: Machine, seen: Machine) -> Merge:
    return Merge(
        absorbed=seen.id,
        survivor=stored.id,
        offset=stored.generation,
        current=stored.generation,
        current_becomes=stored.generation,
    )


def _united(stored: Machine, seen: Machine, known: Snapshot) -> Machine:
    own = [mac for mac in seen.macs if known.owners.get(mac) in {None, stored.id}]
    return replace(
        seen,
        id=stored.id,
        macs=tuple(dict.fromkeys((*stored.macs, *own))),
        apart=tuple(dict.fromkeys((*stored.apart, *seen.apart))),
        unsure=tuple(dict.fromkeys((*stored.unsure, *seen.unsure))),
        generation=stored.generation + seen.generation,
        furthest=max(stored.furthest, seen.furthest),
        first_seen=min(stored.first_seen, seen.first_seen),
        firmware=stored.firmware if more_telling(stored.firmware, seen.firmware) else seen.firmware,
        arch=seen.arch or stored.arch,
        uuid=telling_uuid(seen.uuid) or stored.uuid or seen.uuid,
        serial=telling_serial(seen.serial) or stored.serial or seen.serial,
        manufacturer=seen.manufacturer or stored.manufacturer,
        product=seen.product or stored.product,
        board=seen.board or stored.board,
        address=seen.address or stored.address,
        phase=stored.phase if seen.phase is Phase.DISCOVERED else seen.phase,
        directive=seen.directive if seen.directive != Directive() else stored.directive,
        assignment=stored.assignment or seen.assignment,
        attempts=_counted_on(seen.attempts, stored.generation) if seen.attempts.chain else stored.attempts,
        conflict=stored.conflict or seen.conflict,
        inspection=seen.inspection or stored.inspection,
        report=_started_on(seen.report, stored.generation) if seen.report != Report() else stored.report,
        seed=_seeded_on(seen.seed, stored.generation) if seen.seed != Seed() else stored.seed,
        clean_up=_left_on(seen.clean_up, stored.generation) if seen.clean_up else stored.clean_up,
    )


def _counted_on(attempts: Attempts, boots: int) -> Attempts:
    return replace(attempts, boot=attempts.boot + boots)


def _seeded_on(seed: Seed, boots: int) -> Seed:
    return replace(seed, boot=seed.boot + boots)


def _left_on(left: CleanUp, boots: int) -> CleanUp:
    return replace(left, boot=left.boot + boots)


def _started_on(report: Report, boots: int) -> Report:
    return replace(report, boot=report.boot + boots)
