"""hold: the machine waits, shows its identity and the remedy, and asks again."""

from pathlib import PurePosixPath

from iluvatar_pxe.boot.case import Case, Subject
from iluvatar_pxe.boot.plan import Hold, Lack
from iluvatar_pxe.boot.screens import routed, unseen
from iluvatar_pxe.machines.states import LayerKind


def plan(subject: Subject) -> Hold:
    """Hold a machine because its file or its rule says so."""
    screen = (f"The fleet holds this machine: {subject.why}.", "Change that line to let it boot.")
    return Hold(why=subject.why, name=subject.title, screen=screen, wanted=True)


def hold_for(subject: Subject, trouble: str, remedy: str, *, file: str = "") -> Hold:
    """Hold a machine that cannot be booted as the fleet says; ``file`` is the boot file that it lacks, if it is one."""
    screen = (f"It cannot boot yet: {trouble}.", f"What to do: {remedy}.")
    lack = Lack(trouble, remedy, file)
    return Hold(why=f"{subject.why}, but {trouble}", name=subject.title, screen=screen, lack=lack)


def hold_without_file(subject: Subject, name: str) -> Hold:
    """Hold a machine whose boot file is not in the assets directory, or behind a link that is not served."""
    links, path = subject.case.context.links, PurePosixPath(name)
    broken = next((links[str(one)] for one in (path, *path.parents) if str(one) in links), "")
    if broken:
        trouble, _, remedy = broken.rpartition("; ")
        return hold_for(subject, trouble, remedy, file=name)
    return hold_for(subject, f"the file {name} is missing", "put it into the assets directory", file=name)


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
