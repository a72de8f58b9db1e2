"""Matches a sighting to a machine, and updates that machine and others.

A MAC belongs to the machine that was heard by it, or to that of the NICs that the fleet lists with it. What iPXE
tells of other NICs, and of UUID, serial number and product, counts only where it is ``vouched`` for: the neighbour
table confirms the sender. And nobody becomes another's machine by naming it: two are the same only if both tell the
same UUID or serial number, if each lists the other's NIC, or if the fleet lists both together. Where the fleet lists
them in two files, equal hardware data do not count: clones have those, too. Whoever knows another's data can tell them, and
list its NIC: so a NIC that nobody but itself counts to a machine is in question (``unsure``), and gets nothing secret.
A firmware's own option 97 alone neither joins nor parts machines: some NICs send another UUID there than the
mainboard's.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec import Struct, field

from iluvatar_pxe.machines.boots import Happening
from iluvatar_pxe.machines.hardware import agreement, contradiction, hardware_of
from iluvatar_pxe.machines.merge import Merge, merge
from iluvatar_pxe.machines.model import NOT_LISTED, Listed, Machine, Snapshot
from iluvatar_pxe.machines.observe import Step, first_seen, observed
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.machines.states import Phase
from iluvatar_pxe.values import replace


class Identity(Struct, frozen=True):
    """The sender, None when its MAC is new; machines that turn out to be the same one.

    ``conflicts`` says by machine why its identity is unclear; then nothing it reports is trusted.
    """

    machine: Machine | None
    same: tuple[Machine, ...] = ()
    conflicts: Mapping[UUID, str] = field(default_factory=dict)


def identify(
    sighting: Sighting, snapshot: Snapshot, *, vouched: bool, listed: Listed = NOT_LISTED
) -> Identity:
    """Tell which machine a sighting is of; changes nothing. ``listed`` is what the fleet says."""
    own = snapshot.machine(sighting.mac, listed.macs)
    if not vouched or not sighting.macs:
        return Identity(own)
    named = (snapshot.machine(mac) for mac in (*sighting.macs, *listed.macs))
    found = {one.id: one for one in (*named, *snapshot.with_hardware(hardware_of(sighting))) if one}
    same = tuple(one for one in found.values() if _is_same(one, own, sighting, listed))
    conflicts = _moved(own, same, sighting) or _disputes(own, same, sighting)
    return Identity(own, conflicts=conflicts) if conflicts else Identity(own, same)


def _is_same(one: Machine, own: Machine | None, sighting: Sighting, listed: Listed) -> bool:
    """Say whether a machine found is the one that speaks, by another NIC."""
    if sighting.mac in one.apart or (own is not None and (one.id == own.id or _parted(one, own))):
        return False
    if contradiction(one, sighting) and one.described:
        return False
    if listed.elsewhere(one) and _by_hardware_alone(one, sighting, listed):
        return False
    if one.is_crowded and sighting.mac not in one.claimed:
        return False
    mutual = sighting.mac in one.claimed and not set(sighting.macs).isdisjoint(one.macs)
    return mutual or not set(listed.macs).isdisjoint(one.macs) or agreement(one, sighting)


def _by_hardware_alone(one: Machine, sighting: Sighting, listed: Listed) -> bool:
    """Say whether nothing but equal hardware data makes a machine the one that speaks: clones have those, too."""
    return sighting.mac not in one.claimed and {*sighting.macs, *listed.macs}.isdisjoint(one.macs)


def _parted(one: Machine, other: Machine) -> bool:
    """Say whether the two were split apart by a person."""
    return not set(one.apart).isdisjoint(other.macs) or not set(other.apart).isdisjoint(one.macs)


def _moved(own: Machine | None, same: Iterable[Machine], sighting: Sighting) -> dict[UUID, str]:
    """The MAC is on other hardware now: a NIC or an adapter that moved, or an address used twice."""
    why = contradiction(own, sighting) if own and own.described else ""
    if not own or not why:
        return {}
    text = f"{sighting.mac} was seen with {why}"
    return {own.id: text} | {one.id: f"{text}: that of {one.title}" for one in same}


def _disputes(own: Machine | None, same: Iterable[Machine], sighting: Sighting) -> dict[UUID, str]:
    """Machines that were booted as such, and turn out to be one, are for people to settle."""
    settled = [one for one in (own, *same) if one and _settled(one)]
    if len(settled) < 2:
        return {}
    why = "both have booted as separate machines"
    found: dict[UUID, str] = {}
    for one in same:
        claim, of_whom = _claim(one, sighting)
        found[one.id] = f"{sighting.mac} {claim}: {why}"
        if own:
            found[own.id] = f"its firmware {of_whom}: {why}"
    return found


def _claim(other: Machine, sighting: Sighting) -> tuple[str, str]:
    """Return in words what makes the speaker ``other``, for that machine and for the speaker's own."""
    listed = next((mac for mac in sighting.macs if mac in other.macs), None)
    if listed is None:
        return (
            "reports the same UUID and serial number",
            f"reports the UUID and serial number of {other.title}",
        )
    return f"lists {listed} as its own NIC", f"lists {listed}, a NIC of {other.title}"


def _settled(machine: Machine) -> bool:
    return machine.phase is not Phase.DISCOVERED or machine.assignment is not None


class Seen(Struct, frozen=True):
    """The machine as known now, and what led there; ``happened`` is of the machines in it, in this order.

    The merges come first: the machines they absorbed are no more. ``disputed`` are others that are in doubt now.
    """

    machine: Machine
    merges: tuple[Merge, ...] = ()
    disputed: tuple[Machine, ...] = ()
    happened: tuple[tuple[Machine, Happening, str], ...] = ()


def recognise(
    sighting: Sighting,
    step: Step,
    snapshot: Snapshot,
    fresh_id: UUID,
    *,
    vouched: bool,
    listed: Listed = NOT_LISTED,
) -> Seen:
    """Take in a sighting; changes nothing. ``fresh_id`` is for a machine that nobody has seen before.

    ``listed`` is what the fleet says of the sender.

    A machine whose identity is in doubt does not absorb others; people settle that. What an iPXE
    script tells of a machine is believed only where it is ``vouched`` for: nobody changes what is known of another's.
    """
    identity = identify(sighting, snapshot, vouched=vouched, listed=listed)
    believed = sighting if vouched or not sighting.macs else _bare(sighting)
    if identity.conflicts:
        return _in_conflict(identity, believed, step, snapshot, fresh_id)
    if identity.machine and identity.machine.conflict:
        return _stepped(identity.machine, identity.machine, believed, step)
    clear = [one for one in (identity.machine, *identity.same) if one and not one.conflict]
    if not clear:
        return Seen(_claiming(first_seen(believed, step, fresh_id), believed))
    united, merges = _united(clear)
    doubtful = _in_question(united, identity, sighting, listed)
    if sighting.mac in doubtful:
        sure = (one for one in clear if doubtful.isdisjoint(one.macs))
        believed, claims = _bare(sighting), [mac for one in sure for mac in one.claimed]
        united = replace(united, claimed=tuple(mac for mac in claims if mac not in united.macs))
    united = _claiming(united, believed)
    for mac in sorted(doubtful):
        united = united.with_unsure(mac)
    seen = _stepped(clear[0], united, believed, step)
    merged = tuple((seen.machine, Happening.MERGED, _absorbed(clear, one)) for one in merges)
    return Seen(seen.machine, merges, happened=merged + seen.happened)


def _in_question(united: Machine, identity: Identity, sighting: Sighting, listed: Listed) -> set[str]:
    """Return the NICs that are the machine's as far as they say it themselves, and as nobody else does.

    Of two machines that turn out to be one, the one that a file lists is believed, else the one that lives on.
    """
    own = identity.machine
    speaking = {sighting.mac, *(own.macs if own else ())}
    found = set[str]()
    for one in (one for one in identity.same if not one.conflict):
        if not listed.macs and (listed.anywhere(one) or one.id == united.id):
            found |= speaking - {*one.claimed, *one.macs}
        else:
            found |= set(one.macs) - {*sighting.macs, *listed.macs}
    return found


def merge_text(absorbed: Machine) -> str:
    """Return in words which machine a machine absorbed."""
    return f"{', '.join(absorbed.macs)} was known as a separate machine, {absorbed.title}".removesuffix(
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
    """The sending NIC is the machine's; the others that it lists are unverified."""
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
    return f"{attempts.chain}: {times} boots within an hour, none past {attempts.best.label}"
