"""The documents that Talos' own generator makes of the same secrets, key for key, and what a machine has besides."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.clusters import GOLDEN, cluster_facts, machine_facts

from iluvatar_pxe.layers.arda.configuration.facts import MachineFacts
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Contract, Document, dump_documents, load_documents
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role

INTENDED_ON_BOTH = {
    "DHCPv4Config/net0",
    "DHCPv4Config/net1",
    "EnvironmentConfig",
    "EventSinkConfig",
    "HostnameConfig.auto",
    "HostnameConfig.hostname",
    "KmsgLogConfig/iluvatar-pxe",
    "LinkAliasConfig/net0",
    "LinkAliasConfig/net1",
    "RegistryMirrorConfig/*",
    "RegistryMirrorConfig/docker.io",
    "TimeSyncConfig",
    "UserVolumeConfig/longhorn",
    "v1alpha1.machine.certSANs",
}
INTENDED = {
    (Contract.V1_13, Role.WORKER): {
        "ResolverConfig",
        "v1alpha1.machine.install.diskSelector",
        "v1alpha1.machine.install.image",
        "v1alpha1.machine.sysctls",
    },
    (Contract.V1_13, Role.CONTROLPLANE): {"Layer2VIPConfig/192.168.1.60", "v1alpha1.cluster.apiServer.certSANs"},
    (Contract.V1_14, Role.WORKER): {
        "ResolverConfig.nameservers",
        "SysctlConfig",
        "UnattendedInstallConfig",
    },
    (Contract.V1_14, Role.CONTROLPLANE): {"KubeAPIServerConfig.certExtraSANs", "Layer2VIPConfig/192.168.1.60"},
}  # fmt: skip
"""What a machine's own configuration adds to what Talos' generator makes for any, or has otherwise."""


@pytest.mark.parametrize("role", ROLES[LayerKind.TALOS])
@pytest.mark.parametrize("contract", Contract)
def test_the_golden_secrets_make_the_golden_documents(contract: Contract, role: Role) -> None:
    made = documents_of(cluster_facts(contract), MachineFacts(role=role))

    assert keyed(made) == keyed(golden(contract, role))
    assert len(made) == len(golden(contract, role))
    assert load_documents(dump_documents(made)) == made


@pytest.mark.parametrize("role", ROLES[LayerKind.TALOS])
@pytest.mark.parametrize("contract", Contract)
def test_a_machine_differs_from_the_golden_documents_only_where_intended(
    contract: Contract, role: Role
) -> None:
    made = keyed(documents_of(cluster_facts(contract, vip="192.168.1.60"), machine_facts(role)))
    leads = INTENDED[contract, Role.CONTROLPLANE] if role is Role.CONTROLPLANE else set()

    differing = set(differences(keyed(golden(contract, role)), made, ""))
    assert differing == INTENDED_ON_BOTH | INTENDED[contract, Role.WORKER] | leads


def golden(contract: Contract, role: Role) -> tuple[Document, ...]:
    """Return the documents of Talos' own test data."""
    return load_documents((GOLDEN / f"{contract}-{role}.yaml").read_text())


def keyed(documents: tuple[Document, ...]) -> dict[str, Document]:
    """Return documents by kind and name: their order means nothing to Talos."""
    return {"/".join(filter(None, (one.get("kind", "v1alpha1"), one.get("name")))): one for one in documents}


def differences(before: Any, after: Any, place: str) -> Iterator[str]:
    """Yield where two values differ, by the keys that lead there."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from differences(before.get(key), after.get(key), f"{place}.{key}" if place else key)
    elif before != after:
        yield place
