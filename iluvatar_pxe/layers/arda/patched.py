"""A machine's configuration with the fleet's patches: which they are, in which order, and what comes of them. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.layers import TalosLayer
from iluvatar_pxe.fleet.models import MachineFile
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Contract, Document, dump_documents
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.lines import line_in
from iluvatar_pxe.layers.arda.patching.patch import Patch, parse_patch
from iluvatar_pxe.layers.arda.reserved import taken_over
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.machines.states import Role

ANY_NODE = "stands-for-any-machine"


class PatchFile(NamedTuple):
    """A patch by its path in the fleet."""

    path: str
    text: str


def patches_of(
    layer: TalosLayer, role: Role, machine: MachineFile | None, texts: Mapping[str, str]
) -> tuple[PatchFile, ...]:
    """Return a machine's patches in order: those of its layer, of its role there, and its own.

    ``texts``: the fleet's texts by path, opened as far as this host's key opens them.
    """
    own = machine.patches if machine else ()
    paths = (*layer.patches, *layer.role_patches.get(role, ()), *own)
    return tuple(PatchFile(path, texts.get(path, "")) for path in paths)


def node_name(name: str, patches: Iterable[PatchFile]) -> str:
    """Return a machine's name if its patches mention it, else one for all: machines of one kind are then looked at once."""
    return name if any(name in patch.text for patch in patches) else ANY_NODE


def patched(
    documents: Iterable[Document], patches: Iterable[PatchFile], contract: Contract
) -> tuple[Document, ...]:
    """Return a configuration with patches applied in order; raises ConfigurationError with file and line."""
    result = tuple(documents)
    for path, text in patches:
        if is_sealed(text):
            raise ConfigurationError(f"{path}: is sealed, but not to this host's key; {_RECOVER}")
        try:
            result = _one_more(result, parse_patch(text), contract)
        except DocumentError as error:
            raise ConfigurationError(f"{path}:{error.line}: {error.text}") from error
    return result


def _one_more(documents: tuple[Document, ...], patch: Patch, contract: Contract) -> tuple[Document, ...]:
    """Return documents with one more patch; raises DocumentError, also where it changes what is the daemon's.

    The push refuses that as well; but this is the last look at the disk that Talos is to erase.
    """
    result = apply_patch(documents, patch, contract)
    for fault in taken_over(documents, result):
        raise DocumentError(line_in(patch, fault.document, fault.location), str(fault))
    return result


def patched_text(
    documents: Iterable[Document], patches: Iterable[PatchFile], schema: Schema, role: Role
) -> str:
    """Return the text of a configuration with its patches; raises ConfigurationError for what Talos would refuse."""
    result = patched(documents, patches, schema.contract)
    if found := faults(result, schema, role):
        raise ConfigurationError(f"Talos would refuse the configuration: {found[0]}")
    return dump_documents(result)


_RECOVER = "run: iluvatar-pxe fleet recover --key FILE"
