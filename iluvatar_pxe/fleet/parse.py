"""The fleet's files to a Fleet, purely: everything wrong is found and named at once."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.checks import check_fleet
from iluvatar_pxe.fleet.models import (
    AinurLayer,
    ArdaLayer,
    Fleet,
    FleetFile,
    Layer,
    ListedMachine,
    MachineFile,
)
from iluvatar_pxe.fleet.names import is_host_name
from iluvatar_pxe.fleet.source import FLEET_FILE, Source, is_declaration, layer_file
from iluvatar_pxe.machines.states import LayerName

_LAYERS: Mapping[LayerName, type[Layer]] = {LayerName.ARDA: ArdaLayer, LayerName.AINUR: AinurLayer}
_READ = re.compile(rf"machines/[^/]+\.yaml|layers/({'|'.join(_LAYERS)})\.yaml|{FLEET_FILE}")


def parse_fleet(files: Mapping[str, str]) -> Fleet:
    """Build the declared state from texts by path; raises FleetError with one line per fault."""
    source = Source(files)
    settings = source.model(FLEET_FILE, FleetFile)
    fleet = Fleet(
        settings=settings or FleetFile(),
        layers=_layers(source),
        listed=_listed(source),
        texts={path: text for path, text in files.items() if not is_declaration(path)},
    )
    _refuse_unknown_files(source)
    check_fleet(fleet, source)
    if source.findings.lines:
        raise FleetError(source.findings.lines)
    return fleet


def _layers(source: Source) -> dict[LayerName, Layer]:
    found: dict[LayerName, Layer] = {}
    for name, model in _LAYERS.items():
        layer = source.model(layer_file(name), model) if layer_file(name) in source.files else None
        if layer:
            found[name] = layer
    return found


def _listed(source: Source) -> tuple[ListedMachine, ...]:
    found = []
    for path in sorted(source.files):
        name = PurePosixPath(path).stem
        if path != f"machines/{name}.yaml":
            continue
        if not is_host_name(name):
            source.findings.add(path, 1, "its name is no host name; use a-z, 0-9 and '-'")
        if file := source.model(path, MachineFile):
            found.append(ListedMachine(name, file))
    return tuple(found)


def _refuse_unknown_files(source: Source) -> None:
    for path in source.files:
        if is_declaration(path) and not _READ.fullmatch(path):
            layers = " and ".join(layer_file(name) for name in _LAYERS)
            source.findings.add(path, 1, f"is not read; machines are machines/NAME.yaml, layers {layers}")
