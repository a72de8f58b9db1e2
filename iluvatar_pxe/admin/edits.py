"""Edits that a person makes to a machine; pure, so nothing here touches the inventory."""

from collections.abc import Callable

from msgspec import Struct

from iluvatar_pxe.boot.assign import PlaceRequest, leader_names, taken_by
from iluvatar_pxe.boot.case import Context, case_of
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.fleet.dns import SERVICES
from iluvatar_pxe.fleet.layer_files import or_another
from iluvatar_pxe.fleet.lookup import listed_as, title_of
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.arda.install import forgotten
from iluvatar_pxe.machines.model import Machine, Snapshot, sighting_of
from iluvatar_pxe.machines.states import Attempts, CleanUp, Directive, Intent, LayerKind, Phase, Role, Wipe
from iluvatar_pxe.values import replace

_LEADERS_KEY = {LayerKind.TALOS: "controlPlanes", LayerKind.K3S: "servers"}
"""By kind of layer, the key of its file that says how many machines lead."""


class Wanted(Struct, frozen=True, kw_only=True):
    """The place requested for a machine; None: unchanged, or the layer's default."""

    name: str | None = None
    layer: str | None = None
    role: Role | None = None


def place_for(machine: Machine, wanted: Wanted, snapshot: Snapshot, fleet: Fleet, by: str) -> PlaceRequest:
    """Return the place that ``by`` requests for a machine; raises OperationError where that is impossible."""
    if listed := listed_as(machine, fleet):
        why = "lists it and takes precedence; change that file"
        raise OperationError(f"{listed.name}: machines/{listed.name}.yaml {why}")
    layer = wanted.layer or (machine.assignment.layer if machine.assignment else None)
    if layer is None:
        remedy = " or ".join(f"--layer {name}" for name in fleet.layers) or "--layer NAME"
        raise OperationError(f"{title_of(machine, fleet)}: it has no layer yet; add {remedy}")
    if layer not in fleet.layers:
        remedy = f"create it{or_another(layer, fleet.layers)}"
        raise OperationError(f"{layer}: the fleet has no layers/{layer}.yaml; {remedy}")
    _check_role(machine, layer, wanted.role, snapshot, fleet)
    check_free(machine, wanted.name, snapshot, fleet)
    return PlaceRequest(layer=layer, name=wanted.name, role=wanted.role, rule=f"set by {by}")


def _check_role(machine: Machine, layer: str, role: Role | None, snapshot: Snapshot, fleet: Fleet) -> None:
    """An installed machine keeps its layer and role, and a layer has no more leaders than it declares."""
    if role and role not in fleet.layers[layer].roles:
        roles = " or ".join(fleet.layers[layer].roles)
        raise OperationError(f"{role}: not a role of layer {layer}; use {roles}")
    given = machine.assignment
    if given and given.layer == layer and role in {None, given.role}:
        return
    if given and case_of(sighting_of(machine), snapshot, fleet, Context()).is_installed:
        remedy = f"first: iluvatar-pxe machines reinstall {title_of(machine, fleet)}"
        raise OperationError(
            f"{title_of(machine, fleet)}: its current role is installed on its disk; {remedy}"
        )
    if role and role.leads:
        _check_leaders(machine, layer, snapshot, fleet)


def _check_leaders(machine: Machine, layer: str, snapshot: Snapshot, fleet: Fleet) -> None:
    others = taken_by(one for one in snapshot.by_id.values() if one.id != machine.id)
    names = leader_names(layer, fleet, others)
    if len(names) >= fleet.layers[layer].leaders:
        leading, _ = fleet.layers[layer].roles
        have = f"{len(names)} {leading.words}{'' if len(names) == 1 else 's'}"
        key = _LEADERS_KEY[fleet.layers[layer].kind]
        says = f"and layers/{layer}.yaml says {key}: {fleet.layers[layer].leaders}"
        raise OperationError(
            f"{layer} already has {have}, {says}; raise it, or change another machine's role first"
        )


def check_free(machine: Machine | None, name: str | None, snapshot: Snapshot, fleet: Fleet) -> None:
    """Raise OperationError where a name is taken by something or somebody else than ``machine``."""
    other = snapshot.named(name) if name else None
    if name in SERVICES:
        raise OperationError(f"{name}: reserved as the daemon's own DNS name; choose another")
    if name in fleet.layers:
        raise OperationError(f"{name}: layers/{name}.yaml has this name; choose another")
    if name in fleet.settings.records:
        raise OperationError(f"{name}: a record of fleet.yaml has this name; choose another")
    if name in fleet.names:
        raise OperationError(f"{name}: machines/{name}.yaml has this name; choose another")
    if other and (machine is None or other.id != machine.id):
        raise OperationError(f"{name}: the machine {other.macs[0]} has this name; choose another")


def check_renamable(title: str, layer: str | None, phase: Phase, fleet: Fleet) -> None:
    """Raise OperationError where a machine's operating system, and perhaps its cluster, has its name already."""
    found = fleet.layers.get(layer) if layer else None
    kind = found.kind if found else None
    if kind in _LEADERS_KEY and phase not in {Phase.DISCOVERED, Phase.ASSIGNED, Phase.BOOTING}:
        remedy = f"remove machines/{title}.yaml, wait until it has left, and list it under its new name"
        raise OperationError(f"{title}: it is {phase}, and its cluster may know it by this name; {remedy}")


def declared_intent(machine: Machine, fleet: Fleet) -> str:
    """Return in words the intent that the machine's file declares, unless that is to boot."""
    listed = listed_as(machine, fleet)
    if listed is None or listed.file.intent in {None, Intent.BOOT}:
        return ""
    return f"machines/{listed.name}.yaml says intent {listed.file.intent}"


def check_undeclared(machine: Machine, fleet: Fleet) -> None:
    """Raise OperationError where a file of the fleet declares the machine's intent."""
    if why := declared_intent(machine, fleet):
        raise OperationError(f"{title_of(machine, fleet)}: {why} and takes precedence; change that file")


def check_unreported(
    machine: Machine, phase: Phase, layer: str | None, snapshot: Snapshot, fleet: Fleet
) -> None:
    """Raise OperationError where a machine itself reports that it has come to a phase; ``layer`` is its new one, if any.

    A machine with a configuration that somebody wrote need not report.
    """
    case = case_of(sighting_of(machine), snapshot, fleet, Context())
    found = fleet.talos(layer or case.layer)
    if phase not in {Phase.INSTALLED, Phase.JOINED} or found is None or found.config or case.options.config:
        return
    title = title_of(machine, fleet)
    raise OperationError(
        f"{title}: it reports itself when it is installed and when it has joined; to see how far it is: "
        f"iluvatar-pxe machines show {title}"
    )


def with_phase(phase: Phase) -> Callable[[Machine], Machine]:
    """Return the edit that sets a machine's phase and resets its attempts."""
    return lambda machine: replace(machine, phase=phase, attempts=Attempts())


def with_directive(directive: Directive) -> Callable[[Machine], Machine]:
    """Return the edit that sets a machine's directive."""
    return lambda machine: replace(machine, directive=directive)


def reinstalled(by: str, wipe: Wipe, clean_up: CleanUp | None = None) -> Callable[[Machine], Machine]:
    """Return the edit that has a machine installed anew, on a disk that is chosen by what is read then."""
    directive = Directive(Intent.REINSTALL, by, wipe=wipe)
    return lambda machine: replace(
        machine, directive=directive, inspection=forgotten(machine.inspection), clean_up=clean_up
    )


def as_before(directive: Directive) -> Callable[[Machine], Machine]:
    """Return the edit after which a machine is not installed anew."""
    return lambda machine: replace(machine, directive=directive, clean_up=None)


def held(by: str, why: str) -> Callable[[Machine], Machine]:
    """Return the edit that holds a machine; one that is held keeps its reason unless there is a new one."""

    def edit(machine: Machine) -> Machine:
        was = machine.directive
        reason = why or (was.why if was.intent is Intent.HOLD else "")
        return replace(machine, directive=Directive(Intent.HOLD, by, reason))

    return edit


def ended_hold(machine: Machine) -> str:
    """Return what to say when a machine's directive is replaced: that a hold ends, and the reason that it had."""
    was = machine.directive
    if was.intent is not Intent.HOLD:
        return ""
    return f"; its hold ends{f' ({was.why})' if was.why else ''}"


def released(machine: Machine) -> Machine:
    """Return the machine with hold, refusal, failure and conflict cleared; a directive to reinstall it stays.

    NICs that asked for its configuration are not in question any more. After a conflict its reported hardware data is cleared, to be reported anew.
    """
    if machine.directive.intent is not Intent.REINSTALL:
        machine = replace(machine, directive=Directive())
    if machine.phase is Phase.FAILED:
        phase = Phase.ASSIGNED if machine.assignment else Phase.DISCOVERED
        machine = replace(machine, phase=phase, attempts=Attempts())
    machine = replace(machine, unsure=tuple(mac for mac in machine.unsure if mac in machine.macs))
    if machine.conflict:
        machine = replace(machine, conflict="", uuid=None, serial="", manufacturer="", product="")
    return machine
