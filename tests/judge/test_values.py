"""The table of refused values is right: Talos' own library refuses each patch of it, and takes the others."""

from collections.abc import Iterator

from support.clusters import machine_facts, running_cluster
from support.judge import Judge, Refused
from support.refused_values import CASES, Case

from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import dump_documents


def is_taken(judge: Judge, case: Case) -> bool:
    cluster = running_cluster(judge.contract)
    try:
        judge.load(judge.patch(dump_documents(documents_of(cluster, machine_facts(case.role))), case.patch))
    except Refused:
        return False
    return True


def misjudged(judge: Judge) -> Iterator[Case]:
    for contract, case in CASES:
        if contract is judge.contract and is_taken(judge, case) == bool(case.says):
            yield case


def test_talos_judges_the_table_as_we_do(judge: Judge) -> None:
    assert list(misjudged(judge)) == []
