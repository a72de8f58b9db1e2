"""hold: the machine waits, shows its identity and the remedy, and asks again."""

from collections.abc import Sequence

from iluvatar_pxe.boot.case import Case, Subject
from iluvatar_pxe.boot.missing import lack_of
from iluvatar_pxe.boot.plan import Hold, Lack
from iluvatar_pxe.boot.screens import routed, unseen
from iluvatar_pxe.machines.states import LayerKind


def plan(subject: Subject) -> Hold:
    """Hold a machine because its file or its rule says so."""
    screen = (f"The fleet holds this machine: {subject.why}.", "Change that line to let it boot.")
    return Hold(why=subject.why, name=subject.title, screen=screen, wanted=True)


def hold_for(subject: Subject, trouble: str, remedy: str) -> Hold:
    """Hold a machine that cannot be booted as the fleet says."""
    return _lacking(subject, Lack(trouble, remedy))


def hold_without_files(subject: Subject, names: Sequence[str]) -> Hold:
    """Hold a machine whose boot files ``names`` are not there: first for those that somebody has to bring."""
    lacks = [lack_of(name, subject.case.context) for name in names]
    for lack in lacks:
        if not lack.under_way:
            return _lacking(subject, lack)
    troubles = tuple(dict.fromkeys(lack.trouble for lack in lacks))
    screen = ("It boots by itself as soon as its boot files are here:", *(f"{one}." for one in troubles))
    why = f"{subject.why}, but {'; '.join(troubles)}"
    return Hold(why=why, name=subject.title, screen=screen, lack=lacks[0])


def _lacking(subject: Subject, lack: Lack) -> Hold:
    screen = (f"It cannot boot yet: {lack.trouble}.", f"What to do: {lack.remedy}.")
    return Hold(why=f"{subject.why}, but {lack.trouble}", name=subject.title, screen=screen, lack=lack)


def hold_in_doubt(case: Case, why: str) -> Hold:
    """Hold a machine that may be another one; by DHCP it proves who it is, unless a router is in between."""
    doubt, is_routed = case.context.doubt, case.sighting.routed
    screen = routed(doubt) if is_routed else unseen(doubt)
    return Hold(why=f"{why}; but {doubt}", name=case.title, screen=screen, unseen=not is_routed)


def hold_without_layer(subject: Subject) -> Hold:
    """Hold a machine whose layer has no file, or none any more."""
    return hold_for(subject, f"the fleet has no layers/{subject.case.layer}.yaml", "create it")


def hold_without(subject: Subject, kind: LayerKind) -> Hold:
    """Hold a machine whose layer is not of the kind that its chain needs."""
    if subject.case.layer not in subject.fleet.layers:
        return hold_without_layer(subject)
    trouble = f"layers/{subject.case.layer}.yaml is not of kind {kind}"
    return hold_for(subject, trouble, f"assign it to {subject.layers_of(kind)}")
