"""The fleet's files while they are read: texts, the lines of their keys, and what is wrong with them."""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml.comments import CommentedMap

from iluvatar_pxe.fleet.yamlfile import Findings, Location, ModelT, build_model, line_of, parse_yaml, part_of
from iluvatar_pxe.machines.states import LayerName

FLEET_FILE = "fleet.yaml"
_MACHINES = "machines/"
_FOLDERS = ("layers/", _MACHINES)
_PartT = TypeVar("_PartT")


def layer_file(layer: LayerName) -> str:
    """Return the path of a layer's file."""
    return f"layers/{layer}.yaml"


def is_declaration(path: str) -> bool:
    """Say whether a file of the fleet declares something itself; others are only named by those that do."""
    return path == FLEET_FILE or path.startswith(_FOLDERS)


class Source:
    """Files by path in the fleet, and the faults found in them so far."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.findings = Findings()
        self._documents: dict[str, CommentedMap] = {}

    def model(self, path: str, model: type[ModelT]) -> ModelT | None:
        """Return the model that a file holds, or None after noting why not."""
        if path not in self.files:
            self.findings.add(path, 1, "is missing; create it, an empty file will do")
            return None
        document = parse_yaml(path, self.files[path], self.findings)
        if document is None:
            return None
        self._documents[path] = document
        return build_model(path, document, model, self.findings)

    @property
    def machines(self) -> list[str]:
        """Paths of the machines' files that are YAML, whatever else is wrong with them."""
        return [path for path in self._documents if path.startswith(_MACHINES)]

    def part(self, path: str, location: Location, kind: TypeAdapter[_PartT]) -> _PartT | None:
        """Return what a file holds at ``location``, or None where that is not there or wrong by itself.

        Faults elsewhere in the file do not matter. ``model`` notes those of the part.
        """
        if path not in self._documents:
            return None
        try:
            return kind.validate_python(part_of(self._documents[path], location))
        except (ValidationError, RecursionError):
            return None

    def fault(self, path: str, location: Location, text: str) -> None:
        """Note a fault at a key of a file that is YAML."""
        self.findings.add(path, line_of(self._documents[path], location), text)
