"""What the fleet's files may not say together, although each is well by itself."""

import re
from collections.abc import Iterator
from itertools import combinations
from uuid import UUID

from iluvatar_pxe.fleet.models import Boot, Fleet, ListedMachine, MachineFile, Rule, Traits
from iluvatar_pxe.fleet.names import overlap
from iluvatar_pxe.fleet.source import FLEET_FILE, Source, is_declaration, layer_file
from iluvatar_pxe.fleet.yamlfile import Location
from iluvatar_pxe.machines.states import ROLES, Intent, LayerName

_SCRIPT = re.compile(r"#!ipxe\s")


def check_fleet(fleet: Fleet, source: Source) -> None:
    """Note in ``source`` every contradiction between the parts of a fleet."""
    _check_listed_once(fleet, source)
    _check_layers(fleet, source)
    _check_rules(fleet, source)
    for path, location, boot in _boots(fleet):
        _check_layer_of(path, location, boot, source)
        _check_files(path, location, boot, source)
    for machine in fleet.listed:
        _check_configured(machine, fleet, source)


def _boots(fleet: Fleet) -> Iterator[tuple[str, Location, MachineFile | Rule]]:
    """Every place that says how machines boot."""
    for index, rule in enumerate(fleet.settings.rules):
        yield FLEET_FILE, ("rules", index), rule
    for machine in fleet.listed:
        yield _path(machine), (), machine.file


def _check_listed_once(fleet: Fleet, source: Source) -> None:
    seen: dict[str | tuple[str, UUID], ListedMachine] = {}
    for machine in fleet.listed:
        match = machine.file.match
        keys: dict[Location, str | tuple[str, UUID]] = {
            ("match", "macs", index): mac for index, mac in enumerate(match.macs)
        }
        if match.hardware:
            keys["match", "serial"] = match.hardware
        for location, key in keys.items():
            if other := seen.get(key):
                what = key if isinstance(key, str) else f"{match.serial} with UUID {match.uuid}"
                text = f"{what} is listed in {_path(other)} already; remove it from one of them"
                source.fault(_path(machine), location, text)
            seen[key] = machine


def _check_layers(fleet: Fleet, source: Source) -> None:
    for one, other in combinations(fleet.layers, 2):
        if overlap(fleet.layers[one].names, fleet.layers[other].names):
            text = f"{fleet.layers[other].names} can give the names of {layer_file(one)}, too; change one of them"
            source.fault(layer_file(other), ("names",), f"names: {text}")
    for role, file in fleet.arda.config.items() if fleet.arda else ():
        _check_file(layer_file(LayerName.ARDA), ("config", role.value), file, source)


def _check_rules(fleet: Fleet, source: Source) -> None:
    rules = fleet.settings.rules
    for_all = next((number for number, rule in enumerate(rules, 1) if rule.match == Traits()), len(rules))
    for number in range(for_all + 1, len(rules) + 1):
        text = f"rule {number} is never reached, since rule {for_all} matches every machine; move it up"
        source.fault(FLEET_FILE, ("rules", number - 1), text)


def _check_layer_of(path: str, location: Location, boot: MachineFile | Rule, source: Source) -> None:
    """A machine that only boots its disk, waits or runs a script needs no layer, unless it names one."""
    boots_by_layer = boot.chain in {None, "talos"} and boot.intent in {None, Intent.BOOT}
    if boot.layer is None or layer_file(boot.layer) in source.files:
        return
    if boots_by_layer or "layer" in boot.model_fields_set:
        key, what = ("chain", "chain talos") if boot.chain == "talos" else ("layer", f"layer {boot.layer}")
        source.fault(path, (*location, key), f"{what} needs {layer_file(boot.layer)}; create it")


def _check_files(path: str, location: Location, boot: Boot, source: Source) -> None:
    for key, file in (("config", boot.config), ("script", boot.script)):
        if file is not None:
            _check_file(path, (*location, key), file, source)
    if boot.script is not None and not _SCRIPT.match(source.files.get(boot.script, "#!ipxe\n")):
        source.findings.add(boot.script, 1, "is no iPXE script; its first line must be #!ipxe")


def _check_file(path: str, location: Location, file: str, source: Source) -> None:
    if file not in source.files:
        source.fault(path, location, f"{file} is no text file of the fleet; create it or correct the path")
    elif is_declaration(file):
        source.fault(path, location, f"{file} is read as part of the fleet; name another file")


def _check_configured(machine: ListedMachine, fleet: Fleet, source: Source) -> None:
    """A listed machine is to boot at once; one that a rule lets in may wait, its screen says for what."""
    file = machine.file
    if fleet.arda is None or file.layer is not LayerName.ARDA or file.intent not in {None, Intent.BOOT}:
        return
    if file.chain or file.config:
        return
    roles = (file.role,) if file.role else ROLES[file.layer]
    missing = [role for role in roles if role not in fleet.arda.config]
    if missing:
        text = f"{layer_file(file.layer)}: config has no {' and no '.join(missing)}; add it there, or 'config' here"
        source.fault(_path(machine), ("role",), text)


def _path(machine: ListedMachine) -> str:
    return f"machines/{machine.name}.yaml"
