"""Parses the fleet's files to a Fleet, purely, and reports all faults at once."""

import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel

from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.checks import check_fleet
from iluvatar_pxe.fleet.daemon_files import ClusterFile, EnrolmentFile, RecipientsFile
from iluvatar_pxe.fleet.fields.names import is_host_name
from iluvatar_pxe.fleet.layer_files import default_layer, kinds_of, read_layers
from iluvatar_pxe.fleet.models import Fleet, FleetFile, ListedMachine, MachineFile
from iluvatar_pxe.fleet.sealed import sealed_paths
from iluvatar_pxe.fleet.source import (
    ENROLMENT_FILE,
    FLEET_FILE,
    LAYER,
    LOCK_FILE,
    RECIPIENTS_FILE,
    SEALED,
    Source,
    is_declaration,
)

_ModelT = TypeVar("_ModelT", bound=BaseModel)
_MACHINE = re.compile(r"machines/([^/]+)\.yaml")
_CLUSTER = re.compile(r"clusters/([^/]+)\.yaml")
_SEALED = rf"clusters/[^/]+{re.escape(SEALED)}"
_READ = re.compile(
    rf"{_MACHINE.pattern}|{_CLUSTER.pattern}|{_SEALED}|{LAYER.pattern}|"
    rf"{FLEET_FILE}|{RECIPIENTS_FILE}|{ENROLMENT_FILE}|{LOCK_FILE}"
)


def parse_fleet(files: Mapping[str, str]) -> Fleet:
    """Build the declared state from texts by path; raises FleetError with one line per fault."""
    source = Source(files)
    settings = source.model(FLEET_FILE, FleetFile)
    layers = read_layers(source)
    usual = default_layer(kinds_of(source))
    machines = _named(source, _MACHINE, MachineFile)
    lock = source.optional(LOCK_FILE, AssetsLock) or AssetsLock()
    texts = {path: text for path, text in files.items() if not is_declaration(path)}
    fleet = Fleet(
        settings=settings or FleetFile(),
        layers=layers,
        listed=tuple(ListedMachine(name, file, _layer_of(file, usual)) for name, file in machines),
        texts=texts,
        sealed=frozenset(sealed_paths(texts)),
        clusters=dict(_named(source, _CLUSTER, ClusterFile)),
        recipients=source.optional(RECIPIENTS_FILE, RecipientsFile) or RecipientsFile(),
        window=source.optional(ENROLMENT_FILE, EnrolmentFile),
        lock=lock,
    ).pinned(lock)
    _refuse_unknown_files(source)
    check_fleet(fleet, source)
    if source.findings.lines:
        raise FleetError(source.findings.lines)
    return fleet


def _layer_of(file: MachineFile, usual: str | None) -> str | None:
    """Return a machine's layer; one whose chain is not its layer's belongs to it only by a role in its file."""
    return (file.layer or usual) if file.boots_by_layer or file.role else None


def _named(source: Source, pattern: re.Pattern[str], model: type[_ModelT]) -> Iterator[tuple[str, _ModelT]]:
    """Return what the files of a folder hold, by the name that each has."""
    for path in sorted(source.files):
        if not (named := pattern.fullmatch(path)):
            continue
        if not is_host_name(named[1]):
            source.findings.add(path, 1, "its name is not a host name; use a-z, 0-9 and '-'")
        if file := source.model(path, model):
            yield named[1], file


def _refuse_unknown_files(source: Source) -> None:
    for path in source.files:
        if is_declaration(path) and not _READ.fullmatch(path):
            known = "machines are machines/NAME.yaml, layers layers/NAME.yaml, clusters clusters/NAME.yaml"
            source.findings.add(path, 1, f"is not a fleet file; {known}")
