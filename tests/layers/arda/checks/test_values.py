"""Values that Talos refuses although its schema allows them are found, and those that it takes are not."""

from functools import cache

import pytest
from support.clusters import machine_facts, running_cluster
from support.refused_values import CASES, Case

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Contract, Document
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.machines.states import Role


@cache
def base(contract: Contract, role: Role) -> tuple[Document, ...]:
    return documents_of(running_cluster(contract), machine_facts(role))


def said(contract: Contract, case: Case) -> list[str]:
    """Return our faults of a machine's configuration with the patch of a case."""
    try:
        patched = apply_patch(base(contract, case.role), parse_patch(case.patch), contract)
    except DocumentError as error:
        return [error.text]
    return [str(fault) for fault in faults(patched, schema_of(contract), case.role)]


@pytest.mark.parametrize(("contract", "case"), CASES)
def test_what_is_said(contract: Contract, case: Case) -> None:
    found = said(contract, case)
    assert bool(found) == bool(case.says), found
    assert not found or any(case.says in line for line in found), found
