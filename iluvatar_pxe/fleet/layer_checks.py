"""Conflicts between layers and the files and rules that assign machines to them."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.fields.layer_names import LayerName
from iluvatar_pxe.fleet.fields.names import overlap
from iluvatar_pxe.fleet.fields.values import NamePattern, RoleOrAuto
from iluvatar_pxe.fleet.layer_files import Kinds, default_layer, or_another, pattern_of
from iluvatar_pxe.fleet.models import MachineFile, Rule
from iluvatar_pxe.fleet.source import Source, layer_file
from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.machines.states import ROLES, Intent, LayerKind, Role

_LAYER = TypeAdapter[str](LayerName)
_PATTERN = TypeAdapter[str](NamePattern)
_ROLE = TypeAdapter[Role | None](RoleOrAuto)
_RULE = TypeAdapter(Rule)
_MACHINE = TypeAdapter(MachineFile)


class _Place(NamedTuple):
    """What a machine's file, or a rule at a location of ``fleet.yaml``, says of a machine's layer."""

    path: str
    location: Location
    boot: MachineFile | Rule | None
    """All that it says; None where that has faults."""
    named: str | None
    """The layer that it names."""
    layer: str | None
    """The layer that it means."""
    kind: LayerKind | None

    def at(self, key: str) -> Location:
        """Return the place of a key."""
        return *self.location, key


def check_names(source: Source) -> None:
    """Note where two layers can give one name, or one can give the name of another.

    The fault is that of the layer whose file says its pattern; where both do or none, of the later one.
    """
    chosen = [name for name in source.layers if source.part(layer_file(name), ("names",), _PATTERN)]
    patterns = {name: pattern_of(name, source) for name in sorted(source.layers, key=chosen.__contains__)}
    for (one, its), (other, names) in combinations(patterns.items(), 2):
        if overlap(its, names):
            text = f"{names} can also give names of {layer_file(one)}; change one of them"
            source.fault(layer_file(other), ("names",), f"names: {text}")
    for layer, names in patterns.items():
        for other in source.layers:
            if overlap(names, other):
                text = f"names: {names} can give a machine the name of layer {other}; change it"
                source.fault(layer_file(layer), ("names",), text)


def check_place(path: str, location: Location, source: Source, kinds: Kinds) -> None:
    """Note what is wrong with the layer that a machine's file or a rule names, and with what depends on its kind."""
    boot = source.part(path, location, _RULE) if location else source.part(path, location, _MACHINE)
    named = boot.layer if boot else source.part(path, (*location, "layer"), _LAYER)
    layer = named or (None if location else default_layer(kinds))
    place = _Place(path, location, boot, named, layer, kinds.get(layer or ""))
    _check_file(place, source, kinds)
    _check_role(place, source)
    if None not in kinds.values():
        _check_named(place, source, kinds)
        _check_keys(place, source)


def _check_file(place: _Place, source: Source, kinds: Kinds) -> None:
    """Every layer that is named has a file."""
    named, boot = place.named, place.boot
    if named and named not in kinds:
        is_talos = boot is not None and boot.chain == "talos"
        key, what = ("chain", "chain talos") if is_talos else ("layer", f"layer {named}")
        text = f"{what} needs {layer_file(named)}; create it{or_another(named, kinds)}"
        source.fault(place.path, place.at(key), text)


def _check_named(place: _Place, source: Source, kinds: Kinds) -> None:
    """Note where a machine boots by a layer, and its file does not say by which."""
    if place.layer is None and isinstance(place.boot, MachineFile) and _needs_layer(place.boot):
        source.fault(place.path, place.at("layer"), f"layer: is missing, and {_which(kinds)}")


def _needs_layer(boot: MachineFile) -> bool:
    """A machine that only boots its disk, waits or runs a script needs no layer."""
    return boot.boots_by_layer and boot.intent in {None, Intent.BOOT}


def _which(kinds: Kinds) -> str:
    """Return why no layer is meant by itself, and what to write."""
    if not kinds:
        return "the fleet has none; create layers/NAME.yaml, and add 'layer: NAME'"
    talos = [name for name, kind in kinds.items() if kind is LayerKind.TALOS]
    why = f"the fleet has {'several' if talos else 'none'} of kind talos"
    lines = " or ".join(f"'layer: {name}'" for name in talos or kinds)
    return f"{why}; add {lines}"


def _check_role(place: _Place, source: Source) -> None:
    role = place.boot.role if place.boot else source.part(place.path, place.at("role"), _ROLE)
    if role and place.kind and role not in ROLES[place.kind]:
        key = source.spelled(place.path, place.at("role"))
        text = f"{key}: {place.layer} has no role {role}; it has {' and '.join(ROLES[place.kind])}"
        source.fault(place.path, place.at("role"), text)


def _check_keys(place: _Place, source: Source) -> None:
    """Note keys of a machine's file or a rule that speak of another kind of layer."""
    for key, what, kind in _keys(place.boot) if place.boot else ():
        if place.layer and place.kind not in {None, kind}:
            text = f"{what} is only for layers of kind {kind}, and {place.layer} is of kind {place.kind}"
            source.fault(place.path, place.at(key), text)
        elif place.layer is None and kind is LayerKind.K3S:
            text = f"{what} is only for layers of kind {kind}; set 'layer' to one, or remove this key"
            source.fault(place.path, place.at(key), text)


def _keys(boot: MachineFile | Rule) -> Iterator[tuple[str, str, LayerKind]]:
    """Every key that is given and belongs to one kind of layer, and what it is called."""
    if boot.chain == "talos":
        yield "chain", "chain talos", LayerKind.TALOS
    if boot.config:
        yield "config", "config", LayerKind.TALOS
    if boot.image:
        yield "image", "image", LayerKind.K3S
    if boot.eeprom_update is not None:
        yield "eepromUpdate", "eepromUpdate", LayerKind.K3S
    if isinstance(boot, MachineFile) and boot.root:
        yield "root", "root", LayerKind.K3S
