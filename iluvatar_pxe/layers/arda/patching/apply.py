"""Applies a patch to a configuration."""

from collections.abc import Iterable

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Contract, Document, changeable
from iluvatar_pxe.layers.arda.patching.delete import without
from iluvatar_pxe.layers.arda.patching.merge import merged_maps
from iluvatar_pxe.layers.arda.patching.patch import Addition, Deletion, Identity, Patch, identity_of
from iluvatar_pxe.layers.arda.patching.spot import MergeError, Spot
from iluvatar_pxe.layers.arda.patching.tables import UNMERGEABLE_IN_1_13


def apply_patch(documents: Iterable[Document], patch: Patch, contract: Contract) -> tuple[Document, ...]:
    """Return a configuration with the changes of a patch; raises DocumentError, with the patch's line."""
    if contract is Contract.V1_13:
        _refuse_twice(patch)
    found = {identity_of(document): document for document in documents}
    for step in sorted(patch, key=_is_later):
        if isinstance(step, Deletion):
            _delete(found, step, contract)
        else:
            _add(found, step, contract)
    return tuple(found[one] for one in sorted(found, key=lambda one: bool(one.kind)))


def _is_later(step: Deletion | Addition) -> bool:
    """Talos begins with what a patch deletes from the document without a kind, which is the first one, too."""
    return not isinstance(step, Deletion) or bool(step.document.kind)


def _delete(found: dict[Identity, Document], step: Deletion, contract: Contract) -> None:
    document = found.get(step.document)
    if document is None and contract is Contract.V1_13:
        text = f"{step.document} is not in the configuration, and Talos {contract} fails to delete it"
        raise DocumentError(step.line, f"{text}; remove this $patch: delete")
    if document is None:
        return
    if step.spot.location:
        found[step.document] = without(document, step)
    else:
        del found[step.document]


def _add(found: dict[Identity, Document], step: Addition, contract: Contract) -> None:
    written, known = step.written, found.get(step.document)
    if known is None:
        found[step.document] = changeable(written.value)
        return
    if contract is Contract.V1_13 and step.document.kind in UNMERGEABLE_IN_1_13:
        text = f"Talos {contract} cannot merge a {step.document.kind}; delete it, and add it anew"
        raise DocumentError(written.line, text)
    try:
        found[step.document] = merged_maps(
            known, written.value, Spot(f"{step.document.kind}:", contract=contract)
        )
    except MergeError as error:
        raise DocumentError(written.line_of(error.spot.location), error.text) from error


def _refuse_twice(patch: Patch) -> None:
    seen: set[Identity] = set()
    for step in patch:
        if isinstance(step, Addition):
            if step.document in seen:
                text = f"names {step.document} twice, which Talos 1.13 refuses; write one document"
                raise DocumentError(step.written.line, text)
            seen.add(step.document)
