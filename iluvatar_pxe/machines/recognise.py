"""One more sighting and everything known: which machine it is of, and what becomes of that machine and others."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.identity import Identity, identify
from iluvatar_pxe.machines.merge import Merge, merge
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.observe import Step, first_seen, observed
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Phase


@dataclass(frozen=True, slots=True)
class Seen:
    """The machine as known now, and what led there; ``happened`` is of the machines in it, in this order.

    The merges come first: the machines they absorbed are no more. ``disputed`` are others that are in doubt now.
    """

    machine: Machine
    merges: tuple[Merge, ...] = ()
    disputed: tuple[Machine, ...] = ()
    happened: tuple[tuple[Machine, Happening, str], ...] = ()


def recognise(sighting: Sighting, step: Step, snapshot: Snapshot, fresh_id: UUID, *, vouched: bool) -> Seen:
    """Take in a sighting; changes nothing. ``fresh_id`` is for a machine that nobody has seen before.

    A machine whose identity is in doubt does not absorb others; people settle that. What an iPXE
    script tells of a machine is believed only where it is ``vouched`` for: nobody changes what is known of another's.
    """
    identity = identify(sighting, snapshot, vouched=vouched)
    believed = sighting if vouched or not sighting.macs else _bare(sighting)
    if identity.conflicts:
        return _in_conflict(identity, believed, step, snapshot, fresh_id)
    if identity.machine and identity.machine.conflict:
        return _stepped(identity.machine, identity.machine, believed, step)
    clear = [one for one in (identity.machine, *identity.same) if one and not one.conflict]
    if not clear:
        return Seen(_claiming(first_seen(believed, step, fresh_id), believed))
    united, merges = _united(clear)
    united = _claiming(united, believed)
    seen = _stepped(clear[0], united, believed, step)
    merged = tuple((seen.machine, Happening.MERGED, _absorbed(clear, one)) for one in merges)
    return Seen(seen.machine, merges, happened=merged + seen.happened)


def merge_text(absorbed: Machine) -> str:
    """Return in words which machine a machine absorbed."""
    return f"{', '.join(absorbed.macs)} was known as a machine of its own, {absorbed.title}".removesuffix(
        f", {absorbed.macs[0]}"
    )


def _bare(sighting: Sighting) -> Sighting:
    return Sighting(mac=sighting.mac, firmware=sighting.firmware, client=sighting.client)


def _united(machines: Iterable[Machine]) -> tuple[Machine, tuple[Merge, ...]]:
    """Make one of machines, the speaking one first."""
    speaking, *others = machines
    merges = []
    for other in others:
        speaking, done = merge(speaking, other, speaking.id)
        merges.append(done)
    return speaking, tuple(merges)


def _absorbed(machines: Iterable[Machine], done: Merge) -> str:
    return next(merge_text(one) for one in machines if one.id == done.absorbed)


def _claiming(machine: Machine, sighting: Sighting) -> Machine:
    """The card that speaks is the machine's; the others that it lists are only its word."""
    macs = tuple(dict.fromkeys((*machine.macs, sighting.mac)))
    told = sighting.macs or machine.claimed
    return replace(machine, macs=macs, claimed=tuple(mac for mac in told if mac not in macs))


def _in_conflict(
    identity: Identity, sighting: Sighting, step: Step, snapshot: Snapshot, fresh_id: UUID
) -> Seen:
    doubted = [
        replace(machine, conflict=why)
        for id_, why in identity.conflicts.items()
        if not (machine := snapshot.by_id[id_]).conflict
    ]
    happened = tuple((one, Happening.CONFLICT, one.conflict) for one in doubted)
    if identity.machine is None:
        return Seen(first_seen(sighting, step, fresh_id), disputed=tuple(doubted), happened=happened)
    known = next((one for one in doubted if one.id == identity.machine.id), identity.machine)
    seen = _stepped(known, known, sighting, step)
    others = tuple(one for one in doubted if one.id != known.id)
    return Seen(seen.machine, disputed=others, happened=happened + seen.happened)


def _stepped(before: Machine, known: Machine, sighting: Sighting, step: Step) -> Seen:
    machine = observed(known, sighting, step)
    if machine.phase is Phase.FAILED and before.phase is not Phase.FAILED:
        return Seen(machine, happened=((machine, Happening.FAILED, _failure(machine, step)),))
    return Seen(machine)


def _failure(machine: Machine, step: Step) -> str:
    attempts = machine.attempts
    times = attempts.lately(step.now)
    return f"{attempts.chain}: {times} boots within an hour, and none came past {attempts.best.label}"
