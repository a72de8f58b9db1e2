"""Manifests that control planes bring into their cluster."""

import pytest
from support.clusters import machine_facts, running_cluster

from iluvatar_pxe.layers.arda.configuration.facts import Manifest
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Contract, dump_documents, load_documents
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.replies.masking import mask_configuration
from iluvatar_pxe.values import replace

TEXT = '---\n{"kind":"Secret","stringData":{"password":"ilu_secret"},"lua":"a = 1\\n  b: \'c\' #\\n"}\n---\n{"kind":"Pod"}\n'
MANIFEST = Manifest("argocd", TEXT)


def configuration(contract: Contract, role: Role) -> str:
    cluster = replace(running_cluster(contract), manifests=(MANIFEST,))
    return dump_documents(documents_of(cluster, machine_facts(role)))


@pytest.mark.parametrize("contract", Contract)
def test_control_planes_have_them_in_the_words_of_their_contract(contract: Contract) -> None:
    documents = load_documents(configuration(contract, Role.CONTROLPLANE))
    if contract is Contract.V1_13:
        assert documents[0]["cluster"]["inlineManifests"] == [{"name": "argocd", "contents": TEXT}]
    else:
        (found,) = (one for one in documents if one.get("kind") == "KubeInlineManifestConfig")
        assert (found["name"], found["manifest"]) == ("argocd", TEXT)
    assert faults(documents, schema_of(contract), Role.CONTROLPLANE) == ()


@pytest.mark.parametrize("contract", Contract)
def test_workers_have_none(contract: Contract) -> None:
    assert "ilu_secret" not in configuration(contract, Role.WORKER)


@pytest.mark.parametrize("contract", Contract)
def test_a_preview_shows_none_of_them(contract: Contract) -> None:
    shown = mask_configuration(configuration(contract, Role.CONTROLPLANE))
    assert "ilu_secret" not in shown
    assert "ilu_secret" not in repr(MANIFEST)
