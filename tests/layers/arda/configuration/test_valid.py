"""What is made is valid by the schema that Talos publishes for each version, and by the rules that it checks besides."""

import pytest
from support.clusters import DISK, machine_facts, running_cluster

from iluvatar_pxe.layers.arda.configuration.make import documents_of, partial_documents
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, dump_documents, load_documents
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.layers.arda.validation import document_faults, faults
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role
from iluvatar_pxe.resources import read_talos_schema

SCHEMAS = {contract: Schema(contract, *read_talos_schema(contract)) for contract in Contract}
STRANGE = DiskChoice(serial='S "1" \\ ü', size=1, path="/dev/sda")


@pytest.mark.parametrize("disk", [DISK, STRANGE])
@pytest.mark.parametrize("vip", ["", "192.168.1.60"])
@pytest.mark.parametrize("role", ROLES[LayerKind.TALOS])
@pytest.mark.parametrize("contract", Contract)
def test_talos_would_take_every_configuration(
    contract: Contract,
    role: Role,
    vip: str,
    disk: DiskChoice,
) -> None:
    cluster = running_cluster(contract, vip=vip, schedules=bool(vip))
    text = dump_documents(documents_of(cluster, machine_facts(role, disk)))

    assert faults(load_documents(text), SCHEMAS[contract], role) == ()


@pytest.mark.parametrize("contract", Contract)
def test_talos_would_take_a_partial_configuration(contract: Contract) -> None:
    text = dump_documents(partial_documents(machine_facts(Role.WORKER)))
    assert list(document_faults(load_documents(text), SCHEMAS[contract])) == []
