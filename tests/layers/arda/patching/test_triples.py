"""Every patch of Talos' own tests gives what Talos makes of it."""

from pathlib import Path
from typing import Any

import pytest

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Contract, Document, dump_documents, load_documents
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch

DATA = Path(__file__).parent / "data"
CASES = sorted(path.name for path in DATA.iterdir() if path.is_dir())
JSON_PATCHES = {"09-with-json6902": "patch-2.yaml", "10-json6902-on-several-documents": "patch-1.yaml"}
ONLY_IN_1_14 = {
    "01-documents": "patch-3.yaml",  # deletes a document that is not there
    "08-one-document-three-times": "patch.yaml",
}


def patched(case: str, contract: Contract, skip: str = "") -> tuple[Document, ...]:
    documents = load_documents((DATA / case / "input.yaml").read_text())
    for file in sorted((DATA / case).glob("patch*.yaml")):
        if file.name != skip:
            documents = apply_patch(documents, parse_patch(file.read_text()), contract)
    return load_documents(dump_documents(documents))


def expected(case: str, contract: Contract) -> tuple[Document, ...]:
    own = DATA / case / f"expected-{contract}.yaml"
    return load_documents((own if own.exists() else DATA / case / "expected.yaml").read_text())


def meaning(value: Any) -> Any:
    """Leave out what Talos writes although it means nothing."""
    if isinstance(value, dict):
        parts = {key: meaning(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part is not None}
    if isinstance(value, list | tuple):
        return [part for part in map(meaning, value) if part is not None] or None
    return None if value in ("", {}, []) else value


def test_all_cases_are_here() -> None:
    assert len(CASES) == 15


@pytest.mark.parametrize("contract", Contract)
@pytest.mark.parametrize("case", [case for case in CASES if case not in JSON_PATCHES])
def test_a_patch_gives_what_talos_makes_of_it(case: str, contract: Contract) -> None:
    if contract is Contract.V1_13 and case in ONLY_IN_1_14:
        with pytest.raises(DocumentError, match=r"Talos v?1\.13"):
            patched(case, contract)
        if case != "01-documents":
            return
        assert meaning(patched(case, contract, skip="patch-3.yaml")) == meaning(expected(case, contract))
        return
    assert meaning(patched(case, contract)) == meaning(expected(case, contract))


@pytest.mark.parametrize("case", JSON_PATCHES)
def test_json_patches_are_refused(case: str) -> None:
    with pytest.raises(DocumentError, match="JSON patches, RFC 6902") as caught:
        parse_patch((DATA / case / JSON_PATCHES[case]).read_text())
    assert caught.value.line == 1
