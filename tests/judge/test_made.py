"""Talos' own library takes the configurations that the daemon makes, CEL expressions included."""

import pytest
from support.clusters import DISK, cluster_facts, machine_facts
from support.judge import Judge

from iluvatar_pxe.catalogue.kubernetes import RANGES
from iluvatar_pxe.layers.arda.configuration.make import documents_of, partial_documents
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, dump_documents
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role
from iluvatar_pxe.values import replace

NUMBERS = {Contract.V1_13: (1, 13), Contract.V1_14: (1, 14)}
STRANGE = DiskChoice(serial='S "1" \\ \t\x01ü\U0001f4be', size=1, path="/dev/sda")


@pytest.mark.parametrize("disk", [DISK, STRANGE])
@pytest.mark.parametrize("vip", ["", "192.168.1.60"])
@pytest.mark.parametrize("role", ROLES[LayerKind.TALOS])
def test_it_takes_what_the_daemon_makes_without_a_warning(
    judge: Judge,
    role: Role,
    vip: str,
    disk: DiskChoice,
) -> None:
    known = cluster_facts(judge.contract, vip=vip, schedules=bool(vip))
    cluster = replace(known, kubernetes=RANGES[NUMBERS[judge.contract]].default)
    assert judge.load(dump_documents(documents_of(cluster, machine_facts(role, disk)))) == []


def test_it_takes_a_partial_configuration(judge: Judge) -> None:
    assert judge.load(dump_documents(partial_documents(machine_facts(Role.CONTROLPLANE)))) == []
