"""The fleet's cloud-configs of a machine, and how they are merged into the one that the daemon makes. Pure.

cloud-init itself lets the lists of a later part replace those of an earlier one, so it is given one document.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import yaml

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.layers import K3sLayer
from iluvatar_pxe.fleet.models import Fleet, MachineFile
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Document, parse_documents
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.machines.states import Role

FILES = "write_files"
_OTHER_FORMATS = (
    "#!",
    "#include",
    "#cloud-boothook",
    "#part-handler",
    "## template:",
    "content-type:",
    "mime-version:",
)
"""How cloud-init's other formats begin, in lower case."""
_NO_CLOUD_CONFIG = "is no cloud-config; write 'key: value' lines below #cloud-config"
_RECOVER = "run: iluvatar-pxe fleet recover --key FILE"
_MODE = 0o644


class Fragment(NamedTuple):
    """A cloud-config of the fleet: its path there, and its text, opened where it ``is_sealed`` in the repository."""

    path: str
    text: str
    is_sealed: bool = False


def fragments_of(
    layer: K3sLayer, role: Role, machine: MachineFile | None, fleet: Fleet
) -> tuple[Fragment, ...]:
    """Return a machine's fragments in order: those of its layer, of its role there, and its own."""
    own = machine.patches if machine else ()
    paths = (*layer.patches, *layer.role_patches.get(role, ()), *own)
    return tuple(Fragment(path, fleet.texts.get(path, ""), path in fleet.sealed) for path in paths)


def parse_fragment(text: str) -> Document:
    """Return what a fragment says, by YAML 1.1, which is what cloud-init reads; raises DocumentError, with the line."""
    if text.lstrip().lower().startswith(_OTHER_FORMATS):
        raise DocumentError(
            1, f"is not supported by the daemon, which merges cloud-configs only; {_NO_CLOUD_CONFIG}"
        )
    found = parse_documents(text, _scalar, _NO_CLOUD_CONFIG)
    if len(found) > 1:
        raise DocumentError(found[1].line, "a cloud-config is one document; write it into a file of its own")
    return found[0] if found else Document({}, 1, {})


def merged(base: Mapping[str, Any], fragments: Iterable[Fragment]) -> dict[str, Any]:
    """Return a cloud-config with what all fragments say that are not sealed.

    Lists are appended, maps are merged key by key, and other values are replaced. Raises ConfigurationError.
    """
    result = dict(base)
    for fragment in fragments:
        if not fragment.is_sealed:
            result = _with(result, _value(fragment))
    return result


def sealed_files(fragments: Iterable[Fragment]) -> Mapping[str, NodeFile]:
    """Return the files that sealed fragments write, which a machine swaps its ticket for; raises ConfigurationError."""
    found = {}
    for fragment in fragments:
        for file in _value(fragment).get(FILES, ()) if fragment.is_sealed else ():
            mode = file.get("permissions")
            found[file["path"]] = NodeFile(file.get("content", ""), int(mode, 8) if mode else _MODE)
    return found


def _value(fragment: Fragment) -> Mapping[str, Any]:
    if is_sealed(fragment.text):
        raise ConfigurationError(f"{fragment.path}: is sealed, but not to this host's key; {_RECOVER}")
    try:
        return parse_fragment(fragment.text).value
    except DocumentError as error:
        raise ConfigurationError(f"{fragment.path}:{error.line}: {error.text}") from error


def _with(one: Any, other: Any) -> Any:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {**one, **{key: _with(one[key], part) if key in one else part for key, part in other.items()}}
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return [*one, *other]
    return other


def _scalar(text: str) -> Any:
    """Return what a text without quotes means to cloud-init; dates stay texts."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    return value if isinstance(value, str | int | float | None) else text
