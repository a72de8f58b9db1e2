"""DNS conflicts between fleet files: each name has one owner, and every CNAME resolves."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.dns import APEX, SERVICES, DnsRecords, Domain
from iluvatar_pxe.fleet.fields.names import is_host_name, overlap
from iluvatar_pxe.fleet.layer_files import pattern_of
from iluvatar_pxe.fleet.models import FleetFile
from iluvatar_pxe.fleet.source import FLEET_FILE, Source, layer_file
from iluvatar_pxe.fleet.yaml.document import Location

_OF_LAYERS = frozenset({"api", "apps", "*.apps", "_kubernetes._tcp"})
"""Names below each layer's whose records the daemon makes."""
_LONGEST_NAME = 253
"""Characters: with the lengths of its labels and the root, 255 bytes (RFC 1035, 2.3.4)."""
_DOMAIN = TypeAdapter[str](Domain)
_RECORDS = TypeAdapter[Mapping[str, Any]](Mapping[str, Any])
_RECORD = TypeAdapter(DnsRecords)


class _Entry(NamedTuple):
    """A name in ``records``, and what it has: nothing where that is faulty."""

    name: str
    records: DnsRecords | None

    def at(self, *keys: str | int) -> Location:
        return "records", self.name, *keys

    @property
    def cname(self) -> str | None:
        return self.records.cname if self.records else None


def check_dns(source: Source) -> None:
    """Note in ``source`` every name that two would have, that is too long, or that stands for itself."""
    _check_machines(source)
    domain = source.part(FLEET_FILE, ("domain",), _DOMAIN) or FleetFile().domain
    entries = tuple(_entries(source))
    for entry in entries:
        _check_owner(entry, source)
        _check_lengths(entry, domain, source)
        _check_apex(entry, source)
    _check_circles(entries, domain, source)


def _entries(source: Source) -> Iterator[_Entry]:
    for name in source.part(FLEET_FILE, ("records",), _RECORDS) or ():
        yield _Entry(name, source.part(FLEET_FILE, ("records", name), _RECORD))


def _check_machines(source: Source) -> None:
    owners = dict.fromkeys(SERVICES, "is reserved for the daemon in DNS")
    owners |= {name: f"is the name of the layer in {layer_file(name)}" for name in source.layers}
    for name, whose in owners.items():
        path = f"machines/{name}.yaml"
        if path in source.files:
            source.findings.add(path, 1, f"{name} {whose}; rename the file")


def _check_owner(entry: _Entry, source: Source) -> None:
    if owner := _owner(entry.name, source):
        source.fault(FLEET_FILE, entry.at(), f"records.{entry.name}: {owner}; choose another name")


def _owner(name: str, source: Source) -> str | None:
    """Return in words who has a name, or may give it to a machine."""
    if _is_own(name, source):
        return "the daemon creates the records of this name"
    if not is_host_name(name):
        return None
    if f"machines/{name}.yaml" in source.files:
        return f"machines/{name}.yaml has this name"
    for layer in source.layers:
        if overlap(pattern := pattern_of(layer, source), name):
            return f"{layer_file(layer)} can give this name to a machine (names: {pattern})"
    return None


def _is_own(name: str, source: Source) -> bool:
    """Say whether the daemon makes the records of a name."""
    below, _, layer = name.rpartition(".")
    return name in SERVICES or (below in _OF_LAYERS and layer in source.layers)


def _check_lengths(entry: _Entry, domain: str, source: Source) -> None:
    names: dict[Location, str] = {(): entry.name}
    if entry.records:
        names |= entry.records.targets
    for keys, name in names.items():
        if len(_whole(name, domain)) > _LONGEST_NAME:
            text = f"is longer than {_LONGEST_NAME} characters, with the domain; shorten it"
            source.fault(FLEET_FILE, entry.at(*keys), f"records: {name[:40]}… {text}")


def _check_apex(entry: _Entry, source: Source) -> None:
    if entry.name == APEX and entry.cname:
        text = "the domain has other records, and a cname allows none (RFC 1034, 3.6.2); write a or aaaa"
        source.fault(FLEET_FILE, entry.at("cname"), f"records.{APEX}.cname: {text}")


def _check_circles(entries: Iterable[_Entry], domain: str, source: Source) -> None:
    """CNAME chains must end."""
    aliases = {_whole(one.name, domain): (one, _whole(one.cname, domain)) for one in entries if one.cname}
    followed: set[str] = set()
    for start in aliases:
        trail: list[str] = []
        name = start
        while name in aliases and name not in followed:
            followed.add(name)
            trail.append(name)
            _, name = aliases[name]
        if name in trail:
            entry, target = aliases[name]
            way = "points to itself" if target == name else f"forms a loop through {target}"
            source.fault(FLEET_FILE, entry.at("cname"), f"records.{entry.name}.cname: {way}; name another")


def _whole(name: str, domain: str) -> str:
    """Return a name of the fleet's files with the domain, unless it is a whole name already."""
    if name.endswith("."):
        return name[:-1]
    return domain if name == APEX else f"{name}.{domain}"
