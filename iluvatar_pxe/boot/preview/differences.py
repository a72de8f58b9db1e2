"""The effect of a fleet change: which machines it affects, and how."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import BootLocal
from iluvatar_pxe.boot.preview.summary import Preview, Summary, changes, keys_of, role_words
from iluvatar_pxe.dns.members import members_of
from iluvatar_pxe.fleet.lookup import listed_as
from iluvatar_pxe.fleet.models import Boot, Fleet, ListedMachine
from iluvatar_pxe.machines.hardware import swapped
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.states import Directive, Intent, Phase, Role
from iluvatar_pxe.values import replace

_STAYS = "it stays in its cluster as it is: no control plane that the fleet lists would be left; list one that has joined"
_LEAVES = (
    "it leaves its cluster: it is drained and switched off, its Node is deleted, and its disk is left alone"
)


class Difference(Struct, frozen=True):
    """``machine`` is its listed name, else its assigned name, else its first MAC; ``text`` is one line, no secrets."""

    machine: str
    text: str


def differences(
    old: Fleet, new: Fleet, snapshot: Snapshot, context: Context, retired: Sequence[Reservation] = ()
) -> tuple[Difference, ...]:
    """Say what becomes of each machine, seen or listed, when ``new`` takes the place of ``old``; sorted by name.

    Nothing is said where nothing changes. Where only machines' own files differ, only those machines are looked at.
    """
    before, after = (Preview(fleet, snapshot, context, retired) for fleet in (old, new))
    subjects = _called(_subjects(old, new, snapshot), old, new)
    told = ((name, _text(subject, name, before, after)) for name, subject in subjects)
    found = [Difference(name, " ".join(text.split())) for name, text in told if text]
    return tuple(sorted(found, key=lambda one: one.machine))


class _Subject(Struct, frozen=True):
    """A machine that was seen, or one of which only files tell; and the file that lists it before and after."""

    machine: Machine | None
    old: ListedMachine | None
    new: ListedMachine | None
    released: bool = False
    leaves: str = ""
    """What becomes of it in a cluster that the daemon takes it out of."""


def _subjects(old: Fleet, new: Fleet, snapshot: Snapshot) -> list[_Subject]:
    """Return every machine for which something may have changed, those that were seen first."""
    was, now = ({one.name: one for one in fleet.listed} for fleet in (old, new))
    names = was.keys() | now.keys()
    machines: Iterable[Machine] = snapshot.by_id.values()
    if _shared(old) == _shared(new):
        names = {name for name in names if _own(was.get(name), old) != _own(now.get(name), new)}
        machines = _seen_as([files[name] for files in (was, now) for name in names & files.keys()], snapshot)
    led = _led(old, new, snapshot)
    seen = [_seen_subject(one, old, new, led) for one in sorted(machines, key=lambda one: one.macs)]
    gone = {name: was[name] for name in names & was.keys() - {one.old.name for one in seen if one.old}}
    come = {name: now[name] for name in names & now.keys() - {one.new.name for one in seen if one.new}}
    return [*seen, *_unseen(gone, come, old)]


def _seen_subject(machine: Machine, old: Fleet, new: Fleet, led: frozenset[str | None]) -> _Subject:
    """``led`` are the layers of which a control plane that has joined is left."""
    was, released = listed_as(machine, old), is_released(machine, old, new)
    layer, leaves = _place(machine, was)[0], ""
    if machine.phase in {Phase.INSTALLED, Phase.JOINED} and new.has_cluster(layer):
        leaves = f"and {_LEAVES}" if layer in led else f"but {_STAYS}"
    return _Subject(machine, was, listed_as(machine, new), released, leaves)


def _led(old: Fleet, new: Fleet, snapshot: Snapshot) -> frozenset[str | None]:
    """Return the layers of which a control plane or server that has joined keeps its place."""
    released = {
        one.assignment.name
        for one in snapshot.by_id.values()
        if one.assignment and is_released(one, old, new)
    }
    members = (one for one in members_of(snapshot, new) if one.leads)
    return frozenset(one.layer for one in members if one.name in new.names or one.name not in released)


def leavers(old: Fleet, new: Fleet) -> tuple[Difference, ...]:
    """Say by their files alone what becomes of machines whose files are gone, as far as they have joined a cluster."""
    if not any(map(new.has_cluster, new.layers)):
        return ()
    led = {one.layer for one in members_of(Snapshot(), new) if one.will_lead}
    return tuple(
        Difference(one.name, _LEAVES if one.layer in led else _STAYS)
        for one in old.listed
        if new.has_cluster(one.layer) and not _same(one, new)
    )


def replaced(old: Fleet, new: Fleet) -> list[str]:
    """Return one fault for each file that gives the name of a machine in a cluster to other hardware at once.

    Two machines would have one name there, and nobody could tell which of them is to leave.
    """
    if not any(map(new.has_cluster, new.layers)):
        return []
    return [
        f"machines/{one.name}.yaml: match: lists none of the hardware that it listed, which may be in the cluster of layer "
        f"{one.layer} as {one.name}; if only its NIC is another one, list both MACs, and remove the old one later; for another "
        "machine, remove this file, push, and add it again once iluvatar-pxe cluster status no longer names the old one"
        for one in old.listed
        if one.name in new.names and new.has_cluster(one.layer) and not _same(one, new)
    ]


def _same(listed: ListedMachine, fleet: Fleet) -> tuple[ListedMachine, ...]:
    """Return the files of a fleet that list the hardware of another one's file."""
    match = listed.file.match
    return fleet.machines(match.macs, match.serial or "", match.uuid)


def _unseen(gone: dict[str, ListedMachine], come: dict[str, ListedMachine], old: Fleet) -> Iterator[_Subject]:
    """Pair files that list the same hardware, those of one name first, and then files of one name."""
    former: dict[str, str | None] = {}
    for name, listed in come.items():
        same = [one.name for one in _same(listed, old) if one.name in gone]
        former[name] = name if name in same else next(iter(same), None)
    for name in sorted(come, key=lambda one: (former[one] != one, former[one] is None, one)):
        yield _Subject(None, gone.pop(former[name] or name, None), come[name])
    yield from (_Subject(None, listed, None) for listed in gone.values())


def _shared(fleet: Fleet) -> object:
    """Return what bears upon machines besides their own files."""
    talos = [layer for name in fleet.layers if (layer := fleet.talos(name))]
    texts = [fleet.texts.get(path) for layer in talos for path in layer.config.values()]
    menu = [fleet.texts.get(entry.script) for entry in fleet.settings.menu.entries]
    return fleet.settings, dict(fleet.layers), texts, menu, _texts(fleet.settings.rules, fleet)


def _own(listed: ListedMachine | None, fleet: Fleet) -> object:
    return listed and (listed, _texts([listed.file], fleet))


def _texts(boots: Iterable[Boot], fleet: Fleet) -> list[str | None]:
    return [fleet.texts.get(path) for boot in boots for path in (boot.config, boot.script) if path]


def _seen_as(files: Collection[ListedMachine], snapshot: Snapshot) -> list[Machine]:
    """Return the machines that these files list, that claim to be listed, or that were given one of their names."""
    names, hardware = {one.name for one in files}, {one.file.match.hardware for one in files} - {None}
    cards = {mac for one in files for mac in one.file.match.macs}
    found = {machine.id: machine for mac in cards if (machine := snapshot.machine(mac))}
    for machine in snapshot.by_id.values():
        is_named = machine.assignment is not None and machine.assignment.name in names
        uuid = machine.uuid if hardware else None
        is_it = uuid and (machine.serial, min(uuid, swapped(uuid))) in hardware
        if is_named or is_it or not cards.isdisjoint(machine.claimed):
            found[machine.id] = machine
    return list(found.values())


def is_released(machine: Machine, old: Fleet, new: Fleet) -> bool:
    """Say whether a machine loses its place: its file is gone, or a new one gives its name to another."""
    given, was = machine.assignment, listed_as(machine, old)
    if given is None or listed_as(machine, new):
        return False
    return (was is not None and was.name == given.name) or (
        given.name in new.names and given.name not in old.names
    )


def _called(subjects: Iterable[_Subject], old: Fleet, new: Fleet) -> Iterator[tuple[str, _Subject]]:
    """Give each its name; one whose name is another's, by a file, goes by its first MAC, or its serial number."""
    used, listed_ever = set[str](), old.names | new.names
    for subject in subjects:
        machine, listed = subject.machine, subject.new or subject.old
        given = machine.assignment if machine else None
        names = [listed.name] if listed and (subject.new or listed.name not in new.names) else []
        names += [given.name] if given and given.name not in listed_ever else []
        match = listed.file.match if listed else None
        names += machine.macs if machine else (match.macs or (match.serial or "",)) if match else ()
        used.add(name := next((one for one in names if one not in used), names[-1]))
        yield name, subject


def _text(subject: _Subject, name: str, before: Preview, after: Preview) -> str:
    """Return what becomes of one machine, empty where nothing does: what has to wait, then what has not."""
    machine, old, new = subject.machine, subject.old, subject.new
    later = replace(machine, assignment=None) if machine and subject.released else machine
    was, will = (before.of(machine, old), after.of(later, new)) if machine or (old and new) else (None, None)
    if was is None or will is None:
        return ", ".join(_listing(subject) + _declared(subject))
    stays = was.stays and will.stays
    moves = list(_moves(subject, will, stays=stays))
    waiting, moved = ([text for text, waits in moves if waits is want] for want in (True, False))
    at_once = [*_listing(subject), *moved, *_declared(subject), *changes(was, will)]
    if machine and stays and old and new and old.file != new.file:
        again = replace(machine, directive=Directive(Intent.REINSTALL))
        installs = changes(before.of(again, old), after.of(again, new), but_for=BootLocal)
        waiting += [one for one in installs if one not in at_once]
    first = [f"{', '.join(waiting)}; takes effect after machines reinstall {name}"] if waiting else []
    return ", ".join(first + at_once)


def _listing(subject: _Subject) -> list[str]:
    """Say that a file has come or gone, and whether the machine has another name by that."""
    machine, old, new = subject.machine, subject.old, subject.new
    given = machine.assignment if machine else None
    former, name = old.name if old else given and given.name, new.name if new else given and given.name
    found = [f"{former} → {name}"] if former and name and former != name else []
    if new and old is None:
        layer, role = _place(machine, new)
        place = f" as {role_words(role)} of {layer}" if layer and role else f" in {layer}" if layer else ""
        return [f"listed{place} (new)", *found]
    if machine and (subject.released or (old and not new and not given)):
        lost = "no longer listed: its name is released" if old else f"{former} is another machine now"
        return [f"{lost}, {subject.leaves or 'and it has to enrol again'}"]
    return [*(["no longer listed"] if old and not new else []), *found]


def _moves(subject: _Subject, will: Summary, *, stays: bool) -> Iterator[tuple[str, bool]]:
    """Say what changes of its place, and whether that waits until the machine is installed again."""
    layer, role = _place(subject.machine, subject.old)
    new_layer, new_role = _place(subject.machine, subject.new)
    if layer is None or new_layer is None or subject.released:
        return
    given = subject.machine.assignment if subject.machine else None
    has_it = given is not None and (given.layer, given.role) == (new_layer, new_role)
    if layer != new_layer:
        yield f"{layer} → {new_layer}", stays and not has_it
    if role is not new_role:
        fixed = stays or (will.case.is_installed and layer == new_layer)
        yield f"{role_words(role)} → {role_words(new_role)}", fixed and not has_it


def _place(machine: Machine | None, listed: ListedMachine | None) -> tuple[str | None, Role | None]:
    """Return the layer and the role that are wanted of a machine: its file's, else those that it was given."""
    given = machine.assignment if machine else None
    if listed is None:
        return (given.layer, given.role) if given else (None, None)
    role = listed.file.role or (given.role if given and given.layer == listed.layer else None)
    return listed.layer, role


def _declared(subject: _Subject) -> list[str]:
    """Say what else a file says: where it is new, only of a machine that was not seen; others show it by their boot."""
    old, new = subject.old and keys_of(subject.old), subject.new and keys_of(subject.new)
    if old and new:
        return [f"{key} {old[key]} → {new[key]}".strip() for key in old if old[key] != new[key]]
    if subject.new is None or subject.machine:
        return []
    said = ("intent", subject.new.file.intent, Intent.BOOT), ("chain", subject.new.file.chain, "talos")
    return [f"{key} {value}" for key, value, usual in said if value not in {None, usual}]
