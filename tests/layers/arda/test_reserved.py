"""What the daemon alone says of a machine cannot be changed by a patch, in whichever way that is written."""

from collections.abc import Iterable
from typing import Any

import pytest
from support.clusters import cluster_facts, machine_facts

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Contract, Document
from iluvatar_pxe.layers.arda.patch_check import check_patches
from iluvatar_pxe.layers.arda.patched import PatchFile, patched
from iluvatar_pxe.layers.arda.reserved import EXTENDED, FIXED, Field, taken_over
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.machines.states import Role

BOTH = tuple(Contract)
V1_13, V1_14 = (Contract.V1_13,), (Contract.V1_14,)
HEAD = "apiVersion: v1alpha1\nkind: "
NO = "no patch may change this: "
DISK = f"{NO}the daemon chooses the disk that Talos erases; remove it, and name another disk by 'disk' in machines/NAME.yaml"
NAME = f"{NO}a machine has the name of its file, "
SECRETS = f"{NO}the cluster's secrets are the daemon's; "
TAKEN = [
    (
        V1_13,
        "machine:\n  install:\n    disk: /dev/sdb\n    diskSelector: {$patch: delete}\n",
        f"3: machine.install.disk: {DISK}",
    ),
    (
        V1_13,
        "machine:\n  install:\n    diskSelector: {$patch: delete}\n    disk: a\n",
        f"4: machine.install.disk: {DISK}",
    ),
    (
        V1_13,
        "machine:\n  install:\n    diskSelector:\n      $patch: delete\n",
        f"4: machine.install.diskSelector: {DISK}",
    ),
    (V1_13, "machine:\n  install: {diskSelector: {serial: X}}\n", f"2: machine.install.diskSelector: {DISK}"),
    (
        V1_13,
        "machine:\n  install: {diskSelector: {size: '>= 1TB'}}\n",
        f"2: machine.install.diskSelector: {DISK}",
    ),
    (V1_13, "machine:\n  install: {$patch: delete}\n", f"2: machine.install.diskSelector: {DISK}"),
    (
        V1_13,
        "machine: {install: {grubUseUKICmdline: false}}\n",
        f"1: machine.install.grubUseUKICmdline: {NO}without it a ticket ",
    ),
    (
        V1_14,
        f"{HEAD}UnattendedInstallConfig\nprovisioning:\n  diskSelector:\n    match: 'true'\n",
        f"4: UnattendedInstallConfig: provisioning.diskSelector: {DISK}",
    ),
    (
        V1_14,
        f"{HEAD}UnattendedInstallConfig\nprovisioning: {{wipe: true}}\n",
        f"3: UnattendedInstallConfig: provisioning.diskSelector: {DISK}",
    ),
    (
        V1_14,
        f"{HEAD}UnattendedInstallConfig\n$patch: delete\n---\nmachine: {{install: {{disk: /dev/sdb}}}}\n",
        f"5: machine.install.disk: {DISK}",
    ),
    (BOTH, f"{HEAD}HostnameConfig\nauto: off\nhostname: same\n", f"4: HostnameConfig: hostname: {NAME}"),
    (
        BOTH,
        f"{HEAD}HostnameConfig\nauto: stable\nhostname: {{$patch: delete}}\n",
        f"3: HostnameConfig: auto: {NAME}",
    ),
    (
        BOTH,
        f"{HEAD}HostnameConfig\n$patch: delete\n---\nmachine: {{network: {{hostname: same}}}}\n",
        f"5: machine.network.hostname: {NAME}",
    ),
    (
        V1_13,
        "machine: {kubelet: {extraArgs: {hostname-override: same}}}\n",
        f"1: machine.kubelet.extraArgs.hostname-override: {NAME}",
    ),
    (
        V1_14,
        f"{HEAD}KubeletConfig\nextraArgs: {{hostname-override: same}}\n",
        f"3: KubeletConfig: extraArgs.hostname-override: {NAME}",
    ),
    (
        BOTH,
        f"{HEAD}EventSinkConfig\nendpoint: 10.9.9.9:1\n",
        f"3: EventSinkConfig: endpoint: {NO}without it ",
    ),
    (BOTH, f"{HEAD}EventSinkConfig\n$patch: delete\n", f"3: EventSinkConfig: endpoint: {NO}without it "),
    (
        BOTH,
        f"{HEAD}KmsgLogConfig\nname: iluvatar-pxe\nurl: tcp://10.9.9.9:1\n",
        f"4: KmsgLogConfig iluvatar-pxe: url: {NO}the daemon reads ",
    ),
    (
        V1_13,
        "cluster: {controlPlane: {endpoint: 'https://1.2.3.4:6443'}}\n",
        f"1: cluster.controlPlane.endpoint: {NO}the daemon publishes ",
    ),
    (
        V1_14,
        f"{HEAD}KubeClusterConfig\nendpoint: https://1.2.3.4:6443\n",
        f"3: KubeClusterConfig: endpoint: {NO}the daemon publishes ",
    ),
    (V1_13, "cluster:\n  clusterName: other\n", f"2: cluster.clusterName: {NO}it is the layer's name; "),
    (
        V1_14,
        f"{HEAD}KubeClusterConfig\nclusterName: other\n",
        f"3: KubeClusterConfig: clusterName: {NO}it is the layer's name; ",
    ),
    (BOTH, "machine:\n  type: worker\n", f"2: machine.type: {NO}the fleet says that by 'role' "),
    (BOTH, "machine:\n  token: x.y\n", f"2: machine.token: {SECRETS}"),
    (BOTH, "machine:\n  ca: {crt: YQ==, key: YQ==}\n", f"2: machine.ca: {SECRETS}"),
    (BOTH, "cluster:\n  token: x.y\n", f"2: cluster.token: {SECRETS}"),
    (V1_13, "cluster:\n  id: x\n", f"2: cluster.id: {SECRETS}"),
    (
        V1_13,
        "cluster:\n  secretboxEncryptionSecret: {$patch: delete}\n",
        f"2: cluster.secretboxEncryptionSecret: {SECRETS}",
    ),
    (BOTH, "cluster:\n  etcd:\n    ca: {crt: YQ==, key: YQ==}\n", f"3: cluster.etcd.ca: {SECRETS}"),
    (
        V1_14,
        f"{HEAD}DiscoveryIdentityConfig\nclusterID: x\n",
        f"3: DiscoveryIdentityConfig: clusterID: {SECRETS}",
    ),
    (
        V1_14,
        f"{HEAD}KubeAPIServerCAConfig\nissuingCA: {{cert: a, key: b}}\n",
        f"3: KubeAPIServerCAConfig: issuingCA: {SECRETS}",
    ),
    (
        V1_14,
        f"{HEAD}KubeServiceAccountConfig\nissuer: {{privateKey: a}}\n",
        f"3: KubeServiceAccountConfig: issuer.privateKey: {SECRETS}",
    ),
    (
        V1_14,
        f"{HEAD}KubeEtcdEncryptionConfig\nconfig: {{resources: {{$patch: delete}}}}\n",
        f"3: KubeEtcdEncryptionConfig: config: {SECRETS}",
    ),
]
FREE = [
    (BOTH, "machine: {acceptedCAs: [{crt: YQ==}]}\n"),
    (BOTH, "cluster: {acceptedCAs: [{crt: YQ==}]}\n"),
    (BOTH, f"{HEAD}KmsgLogConfig\nname: other\nurl: tcp://10.9.9.9:1\n"),
    (V1_13, "machine: {install: {wipe: true, disk: ''}}\n"),
    (V1_14, f"{HEAD}KubeAPIServerCAConfig\nacceptedCAs: [a]\n"),
    (
        V1_14,
        f"{HEAD}KubeEtcdEncryptionConfig\nconfig: {{resources: [{{resources: [configmaps], providers: [{{identity: {{}}}}]}}]}}\n",
    ),
]


def cases(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(contract, *rest) for contracts, *rest in rows for contract in contracts]


def found(contract: Contract, patch: str, *, role: str = "controlplane", machine: str = "") -> list[str]:
    """Return what a push says of a patch of a role, or of a machine."""
    layer = f"kind: talos\ntalos: {{version: {contract}.0}}\n"
    files = {"layers/arda.yaml": f"{layer}rolePatches: {{{role}: [patches/a.yaml]}}\n"}
    if machine:
        own = f'match: {{macs: ["52:54:00:00:00:01"]}}\nrole: {role}\npatches: [patches/a.yaml]\n'
        files = {"layers/arda.yaml": layer, f"machines/{machine}.yaml": own}
    return check_patches(parse_fleet({"fleet.yaml": "", "patches/a.yaml": patch, **files}), schema_of)


def made(contract: Contract, role: Role = Role.CONTROLPLANE) -> tuple[Document, ...]:
    return documents_of(cluster_facts(contract), machine_facts(role))


@pytest.mark.parametrize(("contract", "patch", "line"), cases(TAKEN))
def test_a_push_is_refused_with_file_line_and_remedy(contract: Contract, patch: str, line: str) -> None:
    told = found(contract, patch)
    assert any(one.startswith(f"patches/a.yaml:{line}") for one in told), told


@pytest.mark.parametrize(("contract", "patch"), cases(row[:2] for row in TAKEN))
def test_no_configuration_is_made_of_it(contract: Contract, patch: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^patches/a\.yaml:\d+: .*{NO}"):
        patched(made(contract), [PatchFile("patches/a.yaml", patch)], contract)


@pytest.mark.parametrize(("contract", "patch"), cases(FREE))
def test_what_is_only_added_is_taken(contract: Contract, patch: str) -> None:
    assert found(contract, patch) == []
    assert patched(made(contract), [PatchFile("patches/a.yaml", patch)], contract)


@pytest.mark.parametrize("contract", Contract)
def test_a_worker_keeps_the_ca_that_it_accepts(contract: Contract) -> None:
    patch = f"{HEAD}KubeAPIServerCAConfig\nacceptedCAs: {{$patch: delete}}\n"
    if contract is Contract.V1_13:
        patch = "cluster: {ca: {crt: YQ==}}\n"
    (told,) = found(contract, patch, role="worker")
    assert SECRETS in told


@pytest.mark.parametrize("contract", Contract)
def test_the_name_of_its_own_file_is_no_change(contract: Contract) -> None:
    patch = f"{HEAD}HostnameConfig\nauto: off\nhostname: "
    assert found(contract, f"{patch}arda-01\n", machine="arda-01") == []
    for other in ("arda-02 # not arda-01", "stands-for-any-other"):
        (told,) = found(contract, f"{patch}{other}\n", machine="arda-01")
        assert told.startswith(f"patches/a.yaml:4: HostnameConfig: hostname: {NAME}")


@pytest.mark.parametrize("contract", Contract)
def test_what_follows_from_it_is_not_told_as_well(contract: Contract) -> None:
    (told,) = found(contract, "machine: {ca: {$patch: delete}}\n")
    assert SECRETS in told


@pytest.mark.parametrize("field", [*FIXED, *EXTENDED], ids=str)
def test_every_field_is_one_of_talos(field: Field) -> None:
    head = {"kind": field.document.kind} if field.document.kind else {}
    schemas = [schema_of(contract) for contract in Contract]
    knowing = [one for one in schemas if not any("has no" in text for _, text in one.findings(head))]
    assert any(one.unknown_key(field.document.kind, field.path) is None for one in knowing)


@pytest.mark.parametrize("contract", Contract)
@pytest.mark.parametrize("role", [Role.CONTROLPLANE, Role.WORKER])
def test_a_configuration_without_it_is_noticed(contract: Contract, role: Role) -> None:
    every = made(contract, role)
    assert taken_over(every, every) == ()
    gone = {fault.document.kind for fault in taken_over(every, ())}
    assert {"", "HostnameConfig", "EventSinkConfig", "KmsgLogConfig"} <= gone
    assert ("UnattendedInstallConfig" in gone) is (contract is Contract.V1_14)
