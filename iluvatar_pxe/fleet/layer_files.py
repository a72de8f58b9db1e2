"""``layers/NAME.yaml`` while they are read: which model each has, by its kind, and what others ask of them."""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.dns import NOT_OF_LAYERS
from iluvatar_pxe.fleet.fields.names import MOST_OF_LAYER, default_pattern, is_layer_name
from iluvatar_pxe.fleet.fields.values import NamePattern
from iluvatar_pxe.fleet.layers import K3sLayer, Layer, LayerHead, TalosLayer
from iluvatar_pxe.fleet.reading import read_text
from iluvatar_pxe.fleet.source import LAYER, Source, layer_file
from iluvatar_pxe.machines.states import LayerKind
from iluvatar_pxe.suggest import meant_by

Kinds = Mapping[str, LayerKind | None]
"""By the name of each layer that has a file, its kind; None where that is faulty."""
MODELS: Mapping[LayerKind, type[Layer]] = MappingProxyType(
    {LayerKind.TALOS: TalosLayer, LayerKind.K3S: K3sLayer}
)
_NO_NAME = f"its name is not a layer name; use a-z, 0-9 and '-', at most {MOST_OF_LAYER} characters"
_KIND = TypeAdapter(LayerKind)
_PATTERN = TypeAdapter[str](NamePattern)


def read_layers(source: Source) -> dict[str, Layer]:
    """Return the layers by name, in the order of their files, after noting in ``source`` what is wrong with them."""
    for path in source.files:
        if (found := LAYER.fullmatch(path)) and not is_layer_name(found[1]):
            source.findings.add(path, 1, _NO_NAME)
    for name in NOT_OF_LAYERS.intersection(source.layers):
        text = f"{name} is reserved for the daemon in DNS; rename the file"
        source.findings.add(layer_file(name), 1, text)
    layers = {name: _read(layer_file(name), source) for name in source.layers}
    return {name: layer for name, layer in layers.items() if layer}


def _read(path: str, source: Source) -> Layer | None:
    """A file without a kind is read for that alone: which other keys it may have depends on it."""
    head = read_text(source.files[path], LayerHead).model
    kind = head.kind if isinstance(head, LayerHead) else None
    layer = source.model(path, MODELS[kind] if kind else LayerHead)
    return layer if isinstance(layer, Layer) else None


def kinds_of(source: Source) -> Kinds:
    """Return the kind of every layer, also of those with faults elsewhere."""
    return {name: source.part(layer_file(name), ("kind",), _KIND) for name in source.layers}


def default_layer(kinds: Kinds) -> str | None:
    """Return where a machine belongs whose file names no layer: into the only one of kind talos, if there is just one."""
    talos = [name for name, kind in kinds.items() if kind is LayerKind.TALOS]
    return talos[0] if len(talos) == 1 else None


def pattern_of(layer: str, source: Source) -> str:
    """Return the pattern of a layer's names; the default one where it is faulty."""
    return source.part(layer_file(layer), ("names",), _PATTERN) or default_pattern(layer)


def or_another(layer: str, known: Mapping[str, object]) -> str:
    """Return what to say after "create it" of a layer that has no file: which there are, and what was probably meant."""
    if not known:
        return ""
    there = " and ".join(known)
    meant = meant_by(layer, known)
    return f", or did you mean {meant}? The fleet has {there}" if meant else f"; the fleet has {there}"
