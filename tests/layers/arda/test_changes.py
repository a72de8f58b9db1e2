"""What a change of a configuration takes, by field and contract, and what a machine is given of it."""

import random
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.clusters import golden_bundle
from support.talos.cluster import VERSIONS

from iluvatar_pxe.layers.arda.change_tables import DAEMONS, DISK, MANIFESTS, ChangeKind
from iluvatar_pxe.layers.arda.changes import Changes, changes, with_stored
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts, Manifest
from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, Document, dump_documents, load_documents
from iluvatar_pxe.layers.arda.generate import generate_bundle
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

NONE, LIVE, RESTART = ChangeKind.NONE, ChangeKind.LIVE, ChangeKind.RESTART
UPGRADE, REINSTALL = ChangeKind.UPGRADE, ChangeKind.REINSTALL
V1_13, V1_14 = Contract.V1_13, Contract.V1_14
Documents = tuple[Document, ...]


def cluster(contract: Contract, **values: Any) -> ClusterFacts:
    facts = ClusterFacts(
        name="arda",
        endpoint="https://api.arda.lab:6443",
        contract=contract,
        kubernetes="v1.36.3",
        bundle=golden_bundle(),
    )
    return replace(facts, **values)


def machine(contract: Contract, **values: Any) -> MachineFacts:
    facts = MachineFacts(
        role=Role.CONTROLPLANE,
        hostname="arda-01",
        macs=("52:54:00:00:00:01",),
        disk=DiskChoice(serial="ONE", size=1, path="/dev/sda"),
        installer_image=f"factory.talos.dev/metal-installer/abc:{VERSIONS[contract]}",
        resolvers=(IPv4Address("192.168.1.2"),),
        time_servers=("192.168.1.2",),
        event_sink="192.168.1.2:3333",
        no_proxy=("192.168.1.2",),
        sysctls={"vm.swappiness": "10"},
        longhorn=True,
    )
    return replace(facts, **values)


def whole(contract: Contract, patch: str = "", **values: Any) -> Documents:
    """Return a configuration as a machine has it: read from its text, with a patch."""
    of_cluster = {
        name: values.pop(name) for name in ("bundle", "kubernetes", "manifests", "endpoint") if name in values
    }
    documents = documents_of(cluster(contract, **of_cluster), machine(contract, **values))
    if patch:
        documents = apply_patch(documents, parse_patch(patch), contract)
    return load_documents(dump_documents(documents))


def found(live: Documents, wanted: Documents, contract: Contract, **more: Any) -> Changes:
    version = VERSIONS[contract]
    return changes(live, wanted, more.pop("running", version), more.pop("version", version), **more)


@pytest.mark.parametrize("contract", Contract)
def test_the_same_configuration_written_by_talos_itself_is_no_change(contract: Contract) -> None:
    live = whole(contract)
    rewritten = tuple({key: value for key, value in one.items() if value not in ({}, "")} for one in live)
    assert found(live, live, contract).kind is NONE
    assert found(rewritten, live, contract).fields == {}


TABLE = [
    (V1_13, "machine: {sysctls: {a.b: '1'}}", LIVE, "machine.sysctls.a.b"),
    (V1_13, "machine: {nodeLabels: {rack: a}}", LIVE, "machine.nodeLabels.rack"),
    (V1_13, "machine: {certSANs: [a.lab]}", LIVE, "machine.certSANs"),
    (V1_13, "machine: {kubelet: {extraArgs: {v: '4'}}}", LIVE, "machine.kubelet.extraArgs.v"),
    (V1_13, "machine: {features: {diskQuotaSupport: false}}", RESTART, "machine.features.diskQuotaSupport"),
    (V1_13, "machine: {features: {hostDNS: {enabled: false}}}", LIVE, "machine.features.hostDNS.enabled"),
    (V1_13, "machine: {udev: {rules: [a]}}", RESTART, "machine.udev.rules"),
    (V1_13, "machine: {files: [{path: /var/a, op: create, content: secret}]}", RESTART, "machine.files"),
    (V1_13, "machine: {kernel: {modules: [{name: a}]}}", LIVE, "machine.kernel.modules"),
    (V1_13, "machine: {install: {wipe: true}}", REINSTALL, "machine.install.wipe"),
    (V1_13, "cluster: {apiServer: {extraArgs: {v: '4'}}}", LIVE, "cluster.apiServer.extraArgs.v"),
    (V1_13, "cluster: {etcd: {extraArgs: {v: '4'}}}", RESTART, "cluster.etcd.extraArgs.v"),
    (V1_13, "cluster: {network: {podSubnets: [10.1.0.0/16]}}", REINSTALL, "cluster.network.podSubnets"),
    (V1_14, "cluster: {etcd: {extraArgs: {v: '4'}}}", RESTART, "cluster.etcd.extraArgs.v"),
    (V1_14, "{apiVersion: v1alpha1, kind: SysctlConfig, params: {a.b: '1'}}", LIVE, "SysctlConfig.params.a.b"),
    (V1_14, "{apiVersion: v1alpha1, kind: KernelModuleConfig, name: a}", LIVE, "KernelModuleConfig(a)"),
    (V1_14, "{apiVersion: v1alpha1, kind: KubeNodeConfig, labels: {rack: a}}", LIVE, "KubeNodeConfig.labels.rack"),
    (V1_14, "{apiVersion: v1alpha1, kind: KubeletConfig, image: 'a/kubelet:v1.36.3-fat'}", LIVE, "KubeletConfig.image"),
    (
        V1_14,
        "{apiVersion: v1alpha1, kind: EnvironmentConfig, variables: {http_proxy: 'http://a'}}",
        RESTART,
        "EnvironmentConfig.variables.http_proxy",
    ),
    (
        V1_14,
        "{apiVersion: v1alpha1, kind: VolumeConfig, name: EPHEMERAL, encryption: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}}",
        REINSTALL,
        "VolumeConfig(EPHEMERAL).encryption.provider",
    ),
    (
        V1_14,
        "{apiVersion: v1alpha1, kind: KubeServiceAccountConfig, issuer: {issuerURL: 'https://a'}}",
        LIVE,
        "KubeServiceAccountConfig.issuer.issuerURL",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("contract", "patch", "kind", "name"), TABLE)
def test_what_a_field_takes(contract: Contract, patch: str, kind: ChangeKind, name: str) -> None:
    live, wanted = whole(contract), whole(contract, patch)
    told = found(live, wanted, contract)
    assert name in told.fields[kind]
    assert told.fields.keys() == {kind}
    assert "secret" not in str(told.fields)
    is_held = kind is REINSTALL
    assert found(live, told.documents, contract).fields == ({} if is_held else told.fields)
    assert (found(told.documents, live, contract).kind is NONE) is is_held


@pytest.mark.parametrize("contract", Contract)
def test_another_version_of_kubernetes_waits_for_an_upgrade_and_nothing_else_does(contract: Contract) -> None:
    live = whole(contract)
    wanted = whole(contract, kubernetes="v1.37.0", sysctls={"vm.swappiness": "20"})
    told = found(live, wanted, contract)
    assert told.kind is LIVE
    assert len(told.fields[UPGRADE]) == 5
    assert all(name.endswith(" v1.36.3 → v1.37.0") for name in told.fields[UPGRADE])
    assert "v1.37.0" not in dump_documents(told.documents)
    assert found(told.documents, wanted, contract).fields == {UPGRADE: told.fields[UPGRADE]}
    upgraded = found(wanted, live, contract)
    assert all(name.endswith(" v1.37.0 → v1.36.3") for name in upgraded.fields[UPGRADE])
    assert "v1.37.0" in dump_documents(upgraded.documents)


@pytest.mark.parametrize("contract", Contract)
def test_an_installer_waits_for_a_reinstall_unless_talos_was_upgraded_to_it(contract: Contract) -> None:
    newer = f"{contract}.99"
    live = whole(contract)
    wanted = whole(contract, installer_image=f"factory.talos.dev/metal-installer/abc:{newer}")
    told = found(live, wanted, contract, version=newer)
    assert told.fields.keys() == {REINSTALL}
    assert told.documents == live
    assert found(live, wanted, contract, running=newer, version=newer).fields.keys() == {LIVE}


def test_a_new_daemon_restarts_no_machine() -> None:
    told = found(whole(V1_14, no_proxy=()), whole(V1_14), V1_14)
    assert told.fields == {LIVE: ("EnvironmentConfig",)}


def test_another_minor_of_talos_changes_nothing_else() -> None:
    told = changes(whole(V1_13), whole(V1_14), "v1.13.9", "v1.14.1")
    assert told.fields == {REINSTALL: ("Talos v1.13.9 → v1.14.1",)}
    assert told.kind is NONE
    assert told.documents == whole(V1_13)


@pytest.mark.parametrize("contract", Contract)
def test_another_role_changes_nothing_else(contract: Contract) -> None:
    told = found(whole(contract), whole(contract, role=Role.WORKER), contract)
    assert told.fields == {REINSTALL: ("machine.type",)}
    assert told.documents == whole(contract)


def test_a_configuration_of_an_older_contract_is_left_alone_by_a_newer_talos() -> None:
    told = changes(whole(V1_13), whole(V1_14), "v1.14.1", "v1.14.1")
    assert told.fields == {REINSTALL: ("the documents of another minor version of Talos",)}
    assert told.documents == whole(V1_13)


@pytest.mark.parametrize("contract", Contract)
def test_other_secrets_are_never_given_to_a_machine_that_runs(contract: Contract) -> None:
    other = generate_bundle(
        random.Random(3).randbytes, golden_bundle().service_account_key, datetime.now(UTC)
    )
    live = whole(contract)
    told = found(live, whole(contract, bundle=other, sysctls={}), contract)
    assert told.kind is LIVE
    assert told.fields[REINSTALL]
    assert found(live, told.documents, contract).fields == {LIVE: told.fields[LIVE]}
    assert not faults(told.documents, schema_of(contract), Role.CONTROLPLANE)


@pytest.mark.parametrize("contract", Contract)
def test_a_disk_that_is_not_known_here_is_no_change(contract: Contract) -> None:
    live = whole(contract)
    other = DiskChoice(serial="not known here", size=0, path="")
    told = found(live, whole(contract, disk=other), contract, keeps=DISK)
    assert told.fields == {}
    assert told.documents == live
    assert found(live, whole(contract, disk=other), contract).fields.keys() == {REINSTALL}


@pytest.mark.parametrize("contract", Contract)
def test_argo_cd_that_came_late_is_a_live_change_and_is_never_taken_away_because_it_is_missing_here(
    contract: Contract,
) -> None:
    without, with_it = whole(contract), whole(contract, manifests=(Manifest("argo-cd", "kind: Namespace\n"),))
    assert found(without, with_it, contract).kind is LIVE
    told = found(with_it, without, contract, keeps=MANIFESTS)
    assert told.fields == {}
    assert "kind: Namespace" in dump_documents(told.documents)


@pytest.mark.parametrize("contract", Contract)
def test_daemons_that_are_not_known_now_stay(contract: Contract) -> None:
    live = whole(contract, resolvers=(IPv4Address("192.168.1.2"), IPv4Address("192.168.1.3")))
    wanted = whole(contract, no_proxy=("a",), time_servers=("a",), longhorn=False)
    told = found(live, wanted, contract, keeps=DAEMONS)
    assert told.fields == {LIVE: ("UserVolumeConfig(longhorn)",)}
    assert "192.168.1.3" in dump_documents(told.documents)


@pytest.mark.parametrize("contract", Contract)
def test_what_was_staged_and_is_not_wanted_any_more_is_a_live_change(contract: Contract) -> None:
    live, staged = whole(contract), whole(contract, "machine: {udev: {rules: [bad]}}")
    version, wanted = VERSIONS[contract], whole(contract, "machine: {udev: {rules: [good]}}")
    told = with_stored(found(live, live, contract), staged, version)
    assert told.fields == {LIVE: ("what is staged for the next start",)}
    assert found(live, told.documents, contract).kind is NONE
    assert with_stored(found(live, live, contract), live, version).kind is NONE
    restarts = found(live, wanted, contract)
    assert with_stored(restarts, staged, version) is restarts
