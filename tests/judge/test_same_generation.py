"""Of the same secrets and names, the daemon and Talos' own generator make the same; and Talos takes our secrets."""

import pytest
from support.clusters import cluster_facts
from support.judge import Judge
from support.talos.cluster import new_bundle

from iluvatar_pxe.layers.arda.bundle import dump_bundle
from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Document, dump_documents, load_documents
from iluvatar_pxe.machines.states import ROLES, LayerKind
from iluvatar_pxe.values import replace


@pytest.mark.parametrize(
    ("name", "endpoint", "kubernetes"),
    [
        ("arda", "https://api.arda.lab.home.arpa:6443", "v1.36.3"),
        ("a-b", "https://192.168.1.60:6443", "v1.35.0"),
    ],
)
def test_the_same_secrets_make_the_same_documents(
    judge: Judge, name: str, endpoint: str, kubernetes: str
) -> None:
    bundle = new_bundle()
    known = cluster_facts(judge.contract)
    cluster = replace(known, name=name, endpoint=endpoint, kubernetes=kubernetes, bundle=bundle)
    theirs = judge.generate(dump_bundle(bundle), name, endpoint, kubernetes.removeprefix("v"))
    for role in ROLES[LayerKind.TALOS]:
        ours = dump_documents(documents_of(cluster, MachineFacts(role=role)))
        assert keyed(judge.patch(ours)) == keyed(theirs[role]), role


def test_it_takes_the_secrets_that_the_daemon_makes(judge: Judge) -> None:
    judge.check_secrets(dump_bundle(new_bundle()))


def keyed(text: str) -> dict[str, Document]:
    """Return documents by kind and name: their order means nothing to Talos."""
    return {f"{one.get('kind', 'v1alpha1')}/{one.get('name', '')}": one for one in load_documents(text)}
