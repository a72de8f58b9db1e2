"""The fleet's files while they are read: what each holds by itself, and what is wrong with them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake

from iluvatar_pxe.fleet.fields.names import is_layer_name
from iluvatar_pxe.fleet.reading import read_text
from iluvatar_pxe.fleet.yaml.document import Document, Findings, Location

FLEET_FILE = "fleet.yaml"
RECIPIENTS_FILE = "recipients.yaml"
ENROLMENT_FILE = "enrolment.yaml"
LOCK_FILE = "assets.lock.yaml"
APPLICATIONS = "apps/"
"""Argo CD's, and of any size."""
LAYER = re.compile(r"layers/([^/]+)\.yaml")
"""The path of a layer's file, in which its name is."""
_MACHINES = "machines/"
SEALED = ".secrets.age"
"""Ends the names of the daemon's sealed files, in ``clusters/``; those of the owner have any name."""
_FOLDERS = ("layers/", _MACHINES, "clusters/")
_SINGLE = frozenset({FLEET_FILE, RECIPIENTS_FILE, ENROLMENT_FILE, LOCK_FILE})
_ModelT = TypeVar("_ModelT", bound=BaseModel)
_PartT = TypeVar("_PartT")


def layer_file(layer: str) -> str:
    """Return the path of a layer's file."""
    return f"layers/{layer}.yaml"


def cluster_file(layer: str) -> str:
    """Return the path of a cluster's record."""
    return f"clusters/{layer}.yaml"


def cluster_secrets(layer: str) -> str:
    """Return the path of a cluster's sealed secrets."""
    return f"clusters/{layer}{SEALED}"


def longhorn_file(layer: str) -> str:
    """Return the path of Longhorn's Application in the starter fleet."""
    return f"{APPLICATIONS}{layer}/longhorn.yaml"


def is_declaration(path: str) -> bool:
    """Say whether a file of the fleet declares something itself; others are only named by those that do."""
    return path in _SINGLE or path.startswith(_FOLDERS)


def is_read(path: str) -> bool:
    """Say whether a file is read as part of a fleet: hidden ones are for editors and Git, applications for Argo CD."""
    return not path.startswith((".", APPLICATIONS)) and "/." not in path


class Source:
    """Files by path in the fleet, and the faults found in them so far."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.findings = Findings()
        found = (LAYER.fullmatch(path) for path in sorted(files))
        self.layers = tuple(one[1] for one in found if one and is_layer_name(one[1]))
        """Names of the layers that have a file, whatever else is wrong with it."""
        self.machines: list[str] = []
        """Paths of the machines' files that are YAML, whatever else is wrong with them."""
        self._documents: dict[str, Document] = {}
        self._models: dict[str, BaseModel] = {}

    def model(self, path: str, model: type[_ModelT]) -> _ModelT | None:
        """Return the model that a file holds, or None after noting why not."""
        if path not in self.files:
            self.findings.add(path, 1, "is missing; create it, an empty file will do")
            return None
        reading = read_text(self.files[path], model)
        for line, text in reading.faults:
            self.findings.add(path, line, text)
        if reading.document is not None:
            self._documents[path] = reading.document
            if path.startswith(_MACHINES):
                self.machines.append(path)
        if reading.model is not None:
            self._models[path] = reading.model
        return reading.model if isinstance(reading.model, model) else None

    def optional(self, path: str, model: type[_ModelT]) -> _ModelT | None:
        """Return the model that a file holds, or None where there is no such file, or after noting why not."""
        return self.model(path, model) if path in self.files else None

    @property
    def others(self) -> Mapping[str, str]:
        """The files that are no machine's."""
        return {path: text for path, text in self.files.items() if not path.startswith(_MACHINES)}

    def saying(self, key: str) -> list[str]:
        """Return the paths of the machines' files that have a key."""
        return [path for path in self.machines if key in self._documents[path].value]

    def says(self, path: str, key: str) -> bool:
        """Say whether a file has a key, whatever is wrong with it."""
        document = self._documents.get(path)
        return document is not None and key in document.value

    def part(self, path: str, location: Location, kind: TypeAdapter[_PartT]) -> _PartT | None:
        """Return what a file holds at ``location``, or None where that is not there or wrong by itself.

        Faults elsewhere in the file do not matter. ``model`` notes those of the part. In a file without faults,
        what is not there has its default.
        """
        if path in self._models:
            found: _PartT | None = _part_of(self._models[path], location)
            return found
        if path not in self._documents:
            return None
        try:
            return kind.validate_python(self._documents[path].part_of(location))
        except ValidationError:
            return None

    def fault(self, path: str, location: Location, text: str) -> None:
        """Note a fault at a key of a file; at its first line where the file is no YAML."""
        document = self._documents.get(path)
        self.findings.add(path, document.line_of(location) if document else 1, text)

    def spelled(self, path: str, location: Location) -> str:
        """Return a location in words, in a file that is YAML."""
        return self._documents[path].spelled(location)


@lru_cache(maxsize=256)
def _field_of(key: int | str) -> str:
    """Return the name of a model's field for its key in a file."""
    return to_snake(str(key))


def _part_of(model: BaseModel, location: Location) -> Any:
    """Return the part of a model that ``location`` leads to, or None."""
    part: Any = model
    for key in location:
        if isinstance(part, BaseModel):
            part = getattr(part, _field_of(key), None)
        elif isinstance(part, Mapping):
            part = part.get(key)
        else:
            is_item = isinstance(part, tuple) and isinstance(key, int) and key < len(part)
            part = part[key] if is_item else None
    return part
