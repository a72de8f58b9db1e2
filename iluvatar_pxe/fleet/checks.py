"""Conflicts between fleet files that are valid on their own."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.asset_checks import check_assets
from iluvatar_pxe.fleet.cluster_checks import check_clusters
from iluvatar_pxe.fleet.daemon_files import Seen
from iluvatar_pxe.fleet.dns_checks import check_dns
from iluvatar_pxe.fleet.fields.values import Address, FleetPath
from iluvatar_pxe.fleet.k3s_checks import check_k3s
from iluvatar_pxe.fleet.layer_checks import check_names, check_place
from iluvatar_pxe.fleet.layer_files import Kinds, kinds_of
from iluvatar_pxe.fleet.models import Fleet, ListedMachine, Match, Rule, Traits
from iluvatar_pxe.fleet.notification_checks import check_notifications
from iluvatar_pxe.fleet.power_checks import check_power
from iluvatar_pxe.fleet.source import FLEET_FILE, Source, is_declaration, layer_file
from iluvatar_pxe.fleet.talos_checks import check_talos
from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.machines.hardware import swapped
from iluvatar_pxe.machines.states import ROLES, Intent, LayerKind, Role

PATCHES = "patches/"
"""The folder of the fleet's patches."""
_SCRIPT = re.compile(r"#!ipxe\s")
_ITEMS = TypeAdapter[tuple[Any, ...]](tuple[Any, ...])
_MATCH = TypeAdapter(Match)
_RULE = TypeAdapter(Rule)
_CHAIN = TypeAdapter[Any](Any)
_PATH = TypeAdapter[str](FleetPath)
_PATCHES = TypeAdapter[tuple[str, ...]](tuple[str, ...])
_ADDRESS = TypeAdapter[IPv4Address](Address)
_SEEN = TypeAdapter(Seen)


def check_fleet(fleet: Fleet, source: Source) -> None:
    """Note in ``source`` every contradiction between the parts of a fleet, those in faulty files included."""
    _check_listed_once(source)
    check_names(source)
    check_dns(source)
    check_assets(source)
    check_talos(fleet, source)
    check_k3s(fleet, source)
    check_clusters(fleet, source)
    check_notifications(source)
    check_power(source)
    _check_rules(source)
    kinds = kinds_of(source)
    for index in range(_count(source, "rules")):
        _check_boot(FLEET_FILE, ("rules", index), source, kinds)
    for path, location in _files(source):
        _check_file(path, location, source)
    for path, location in _patches(source):
        _check_patches(path, location, source)
    _check_machines(fleet, source, kinds)


class _Judged(NamedTuple):
    """The machines' files, by their paths, in which nothing was wrong beside these ``others``."""

    others: Mapping[str, str]
    machines: Mapping[str, str]


_judged = _Judged({}, {})
"""Of the last fleet: what is said of a file by itself does not change until it, or one of ``others``, does."""


def _check_machines(fleet: Fleet, source: Source, kinds: Kinds) -> None:
    """Check each machine's file beside the files that are no machine's, which are all that these checks look at."""
    global _judged  # noqa: PLW0603 - as read_text remembers what it has read
    others, before = source.others, _judged
    known = before.machines if before.others == others else {}
    listed = {f"machines/{one.name}.yaml": one for one in fleet.listed}
    right: dict[str, str] = {}
    for path in source.machines:
        text, faults = source.files[path], len(source.findings)
        if known.get(path) != text:
            _check_machine(path, listed.get(path), fleet, source, kinds)
        if len(source.findings) == faults:
            right[path] = text
    _judged = _Judged(others, right)


def _check_machine(
    path: str, machine: ListedMachine | None, fleet: Fleet, source: Source, kinds: Kinds
) -> None:
    _check_boot(path, (), source, kinds)
    if source.says(path, "patches"):
        _check_patches(path, ("patches",), source)
    if machine:
        _check_configured(machine, fleet, source)
        _check_name(machine, source)


def _check_boot(path: str, location: Location, source: Source, kinds: Kinds) -> None:
    """Check a place that says how machines boot."""
    check_place(path, location, source, kinds)
    _check_menu(path, location, source)
    for key in ("config", "script"):
        if location or source.says(path, key):
            _check_file(path, (*location, key), source)


def _count(source: Source, *location: str) -> int:
    """Return how many items a list of ``fleet.yaml`` has."""
    items = source.part(FLEET_FILE, location, _ITEMS)
    return len(items or ())


def _files(source: Source) -> Iterator[tuple[str, Location]]:
    """Every place that may name a file, but for what says how machines boot."""
    for index in range(_count(source, "menu", "entries")):
        yield FLEET_FILE, ("menu", "entries", index, "script")
    yield FLEET_FILE, ("backup", "longhorn", "credentials")
    for layer in source.layers:
        for role in ROLES[LayerKind.TALOS]:
            yield layer_file(layer), ("config", role.value)


def _check_listed_once(source: Source) -> None:
    """What two files say of one machine, or one thing that only one machine can have, is a fault."""
    seen: dict[tuple[str, object], str] = {}
    for path in source.machines:
        for location, key, what in _keys(path, source):
            if other := seen.get(key):
                text = f"{what} is already listed in {other}; remove it from one of them"
                source.fault(path, location, text)
            seen[key] = path
    for path in source.saying("seen"):
        known = source.part(path, ("seen",), _SEEN)
        other = seen.get(("serial", known.serial)) if known and known.uuid else None
        if known and other and other != path and _is_of(other, known, source):
            text = f"{other} already lists this machine by its serial number and UUID; remove one of the two"
            source.fault(path, ("seen", "serial"), text)


def _keys(path: str, source: Source) -> Iterator[tuple[Location, tuple[str, object], str]]:
    """Everything that one file alone may list: where it is written, and how."""
    match = source.part(path, ("match",), _MATCH)
    for index, mac in enumerate(match.macs if match else ()):
        yield ("match", "macs", index), ("mac", mac), mac
    if match and match.serial:
        yield ("match", "serial"), ("serial", match.serial), f"serial number {match.serial}"
    if source.says(path, "address") and (address := source.part(path, ("address",), _ADDRESS)):
        yield ("address",), ("address", address), f"address {address}"


def _is_of(path: str, known: Seen, source: Source) -> bool:
    match = source.part(path, ("match",), _MATCH)
    return match is not None and match.uuid is not None and known.uuid in {match.uuid, swapped(match.uuid)}


def _check_rules(source: Source) -> None:
    parts = [source.part(FLEET_FILE, ("rules", index), _RULE) for index in range(_count(source, "rules"))]
    for_all = next(
        (number for number, rule in enumerate(parts, 1) if rule and rule.match == Traits()), len(parts)
    )
    for number in range(for_all + 1, len(parts) + 1):
        text = f"rule {number} is never reached, because rule {for_all} matches every machine; move it up"
        source.fault(FLEET_FILE, ("rules", number - 1), text)


def _check_file(path: str, location: Location, source: Source) -> None:
    file = source.part(path, location, _PATH)
    if file is None:
        return
    if file not in source.files:
        source.fault(path, location, f"{file} is not a text file in the fleet; create it or correct the path")
    elif is_declaration(file):
        source.fault(path, location, f"{file} is itself a fleet file; name another file")
    if location[-1] == "script" and not _SCRIPT.match(source.files.get(file, "#!ipxe\n")):
        source.findings.add(file, 1, "is not an iPXE script; its first line must be #!ipxe")


def _check_menu(path: str, location: Location, source: Source) -> None:
    chain = (
        source.part(path, (*location, "chain"), _CHAIN) if location or source.says(path, "chain") else None
    )
    if chain == "menu" and not _count(source, "menu", "entries"):
        text = "chain: menu needs an entry; add name and script to 'menu.entries' of fleet.yaml"
        source.fault(path, (*location, "chain"), text)


def _check_configured(machine: ListedMachine, fleet: Fleet, source: Source) -> None:
    """A listed machine is to boot at once; one that a rule lets in may wait, its screen says for what.

    Where a layer has no configurations at all, the daemon makes them.
    """
    file, layer = machine.file, fleet.talos(machine.layer)
    if layer is None or file.intent not in {None, Intent.BOOT} or not file.boots_by_layer or file.config:
        return
    if not layer.config:
        return
    roles = (file.role,) if file.role else layer.roles
    missing = [role for role in roles if role in layer.roles and role not in layer.config]
    if missing:
        text = f"layers/{machine.layer}.yaml: config has no {' and no '.join(missing)}; add it there, or 'config' here"
        source.fault(f"machines/{machine.name}.yaml", ("role",), text)


def _patches(source: Source) -> Iterator[tuple[str, Location]]:
    """Every place of a layer that may name patches."""
    for path in map(layer_file, source.layers):
        if source.says(path, "patches"):
            yield path, ("patches",)
    for layer in source.layers:
        for role in Role:
            yield layer_file(layer), ("rolePatches", role.value)


def _check_patches(path: str, location: Location, source: Source) -> None:
    files = source.part(path, location, _PATCHES)
    for index, file in enumerate(files or ()):
        if not file.startswith(PATCHES) or file not in source.files:
            text = f"{file} is not a file in {PATCHES}; create it or correct the path"
            source.fault(path, (*location, index), f"{location[0]}: {text}")


def _check_name(machine: ListedMachine, source: Source) -> None:
    if machine.file.name not in {None, machine.name}:
        text = f"name: the file's name says {machine.name}; rename the file, or remove this key"
        source.fault(f"machines/{machine.name}.yaml", ("name",), text)
