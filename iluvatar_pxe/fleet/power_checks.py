"""Files that the ``power:`` parts of machines name: they are there, and what is secret in them is sealed."""

from pydantic import TypeAdapter

from iluvatar_pxe.fleet.fields.values import FleetPath
from iluvatar_pxe.fleet.power import Power
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.source import Source, is_declaration
from iluvatar_pxe.fleet.yaml.document import Location

_PATH = TypeAdapter[str](FleetPath)


def check_power(source: Source) -> None:
    """Note in ``source`` every file of them that is missing, that is a fleet file itself, or that is not sealed."""
    for path in source.saying("power"):
        for way in Power.model_fields:
            _check_file(path, ("power", way, "ca"), source)
            _check_file(path, ("power", way, "credentials"), source, sealed=True)


def _check_file(path: str, location: Location, source: Source, *, sealed: bool = False) -> None:
    file = source.part(path, location, _PATH)
    if file is None:
        return
    if file not in source.files or is_declaration(file):
        fault = f"{file} is no text file of the fleet; create it or correct the path"
    elif sealed and not is_sealed(source.files[file]):
        fault = f"{file} would be a password in clear; encrypt it: iluvatar-pxe fleet seal {file}"
    else:
        return
    source.fault(path, location, f"{source.spelled(path, location)}: {fault}")
