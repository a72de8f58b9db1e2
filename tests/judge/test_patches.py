"""Patches and verdicts of ours, beside those of Talos' own library."""

from typing import Any

import pytest
from support.judge import Judge, Refused
from support.random_patches import RandomPatches

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Document, Unquoted, dump_documents, load_documents
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch
from iluvatar_pxe.layers.arda.schemas import schema_of

FEW = range(300)
MANY = range(300, 6_000)
OTHER_RULES = ("conflicting", "missing kind", "Protocol(0)", "unknown keys")
"""Of a whole configuration, or of values: for the validation."""


def meaning(value: Any) -> Any:
    """Leave out what Talos writes although it means nothing, and how a scalar is written."""
    if isinstance(value, dict):
        parts = {key: meaning(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not None} or None
    if isinstance(value, list):
        return [part for part in map(meaning, value) if part is not None] or None
    if isinstance(value, str) and not isinstance(value, Unquoted):
        return value or None
    return None if value is None or (value == 0 and value is not False) else str(value)


def ours(judge: Judge, base: str, patch: str) -> tuple[Document, ...] | DocumentError:
    try:
        return apply_patch(load_documents(base), parse_patch(patch), judge.contract)
    except DocumentError as error:
        return error


def compare(judge: Judge, seed: int) -> bool:
    """Patch a random configuration; return whether both have patched it, and fail where they differ."""
    documents, changes = RandomPatches(schema_of(judge.contract), seed).case()
    patch = dump_documents(changes)
    try:
        base = judge.patch(dump_documents(documents))
        judge.patch(base)
    except Refused:
        return False  # the schema says less than the library
    found = ours(judge, base, patch)
    try:
        expected = judge.patch(base, patch)
        if isinstance(found, DocumentError):
            assert is_stricter(judge, found), f"{base}\n=== {patch}\n=== {found.text}"
            return False
        written = judge.patch(dump_documents(found))
    except Refused as refused:
        said = str(refused)
        assert isinstance(found, DocumentError) or is_of_others(said), f"{base}\n=== {patch}\n=== {said}"
        return False
    wanted, got = (list(map(meaning, load_documents(text))) for text in (expected, written))
    assert got == wanted, f"{base}\n=== {patch}"
    return True


def is_stricter(judge: Judge, error: DocumentError) -> bool:
    """Where Talos does what nobody wants, or leaves what it cannot read again, we refuse."""
    return (
        "Talos keeps" in error.text or "needs a key" in error.text or f"Talos {judge.contract}" in error.text
    )


def is_of_others(said: str) -> bool:
    return said.startswith(("load", "error decoding")) or any(words in said for words in OTHER_RULES)


def test_random_patches_give_the_same(judge: Judge) -> None:
    assert sum(compare(judge, seed) for seed in FEW) > len(FEW) / 2


@pytest.mark.long
def test_many_random_patches_give_the_same(judge: Judge) -> None:
    assert sum(compare(judge, seed) for seed in MANY) > len(MANY) / 2
