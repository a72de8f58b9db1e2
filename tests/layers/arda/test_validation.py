"""What Talos would refuse of a configuration is found, with its path and a remedy."""

from functools import cache
from typing import Any

import pytest
from support.clusters import GOLDEN, machine_facts, running_cluster

from iluvatar_pxe.layers.arda.configuration.make import documents_of
from iluvatar_pxe.layers.arda.documents import Contract, load_documents
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.layers.arda.validation import document_faults, faults
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.resources import read_talos_schema

HEAD = "apiVersion: v1alpha1\nkind: "
DISK = "machine: {install: {disk: /dev/sda}}"
V1_13, V1_14 = Contract
CONTROLPLANE, WORKER = Role.CONTROLPLANE, Role.WORKER


@cache
def schema(contract: Contract) -> Schema:
    return Schema(contract, *read_talos_schema(contract))


def golden(name: str) -> str:
    """Return Talos' own configuration, with a version of Kubernetes that it still runs."""
    return (GOLDEN / f"{name}.yaml").read_text().replace(":v1.28.0", ":v1.36.3")


def lines(contract: Contract, role: Role, *patches: str) -> list[str]:
    """Return the faults of a golden configuration with some patches."""
    documents = load_documents(golden(f"{contract}-{role}"))
    for patch in (DISK, *patches) if contract is V1_13 else patches:
        documents = apply_patch(documents, parse_patch(patch), contract)
    return [str(fault) for fault in faults(documents, schema(contract), role)]


@pytest.mark.parametrize("contract", Contract)
@pytest.mark.parametrize("role", [CONTROLPLANE, WORKER])
def test_what_talos_and_this_daemon_make_is_valid(contract: Contract, role: Role) -> None:
    assert lines(contract, role) == []
    made = documents_of(running_cluster(contract), machine_facts(role))
    assert faults(made, schema(contract), role) == ()


@pytest.mark.parametrize(
    "patch",
    [
        "machine: {sysctls: {net.ipv4.ip_forward: 1, kernel.x: 0x10, a: true}}",
        "machine: {files: [{path: /var/a, content: x, permissions: 0o644, op: create}]}",
        "machine: {files: [{path: /var/a, content: x, permissions: 0644, op: create}]}",
        "persist: true",
        "machine: {acceptedCAs: [{crt: YQ==}]}",
        "cluster: {acceptedCAs: [{crt: YQ==}]}",
        "machine: {env: {a: ~}}",
        "debug: yes",
        f"{HEAD}ImageVerificationConfig\nrules: [{{image: a, skip: true}}]",
        f"{HEAD}KubeSpanEndpointsConfig\nextraAnnouncedEndpoints: ['192.168.1.1:1']",
        f"{HEAD}NetworkRuleConfig\nname: a\nportSelector: {{ports: [80, 90-100], protocol: tcp}}",
        f"{HEAD}KmsgLogConfig\nname: a\nurl: tcp://192.168.1.2:3334",
        f"{HEAD}UserVolumeConfig\nname: a\nvolumeType: directory",
    ],
)
@pytest.mark.parametrize("contract", Contract)
def test_what_talos_takes_is_valid(contract: Contract, patch: str) -> None:
    assert lines(contract, WORKER, patch) == []


@pytest.mark.parametrize(
    ("patch", "line"),
    [
        (
            "cluster: {apiServer: {foo: 1}}",
            "cluster.apiServer.foo: no such key; remove it or correct its name",
        ),
        (
            "machine: {kubelet: {extraArg: {}}}",
            "machine.kubelet.extraArg: no such key; did you mean extraArgs?",
        ),
        ("machine: {time: {disabled: 3}}", "machine.time.disabled: is a number; write true or false"),
        ("machine: {sysctls: {a: [b]}}", "machine.sysctls.a: is a list; write a text"),
        (
            "machine: {files: [{permissions: abc}]}",
            "machine.files.1.permissions: is a text; write a whole number",
        ),
        ("machine: {files: [{op: creat}]}", "machine.files.1.op: creat is not known; did you mean create?"),
        (
            "machine: {type: controlplane}",
            "machine.type: is controlplane on a worker; the fleet decides that, remove it",
        ),
        ("persist: false", "persist: Talos takes only true; remove it"),
        (
            f"{HEAD}HostnameConfigs\na: 1",
            "HostnameConfigs: kind: Talos v1.13 has no HostnameConfigs; did you mean HostnameConfig?",
        ),
        (f"{HEAD}RoutingRuleConfig\nname: '1'", "RoutingRuleConfig 1: table: is missing; add it"),
        (f"{HEAD}KmsgLogConfig\nurl: tcp://a:1", "KmsgLogConfig: name: is missing; add it"),
        (
            f"{HEAD}KmsgLogConfig\nname: a\nurl: http://a:1",
            "KmsgLogConfig a: url: has not the form ^(tcp|udp)://; correct it",
        ),
        (
            f"{HEAD}HostnameConfig\nhostname: a",
            "HostnameConfig: hostname: cannot be there together with auto; write auto: off",
        ),
        (
            "machine: {network: {hostname: a}}",
            "machine.network.hostname: a HostnameConfig says that as well, and Talos allows one of them; write it there",
        ),
        (
            "machine: {install: {extraKernelArgs: [a]}}",
            "machine.install.extraKernelArgs: Talos ignores them where grubUseUKICmdline is true; ",
        ),
        (
            "machine: {network: {interfaces: [{interface: a, vip: {ip: 10.0.0.1}}]}}",
            "machine.network.interfaces.1.vip: is only for control planes; ",
        ),
        (
            "machine: {network: {interfaces: [{interface: a, vlans: [{vlanId: 1, vip: {ip: 10.0.0.1}}]}]}}",
            "machine.network.interfaces.1.vlans.1.vip: is only for control planes; ",
        ),
        (
            "machine: {ca: {crt: YQ==, key: YQ==}}",
            "machine.ca.key: is only for control planes; write it in a patch for controlplane alone (rolePatches)",
        ),
        (
            f"{HEAD}Layer2VIPConfig\nname: 10.0.0.1\nlink: net0",
            "Layer2VIPConfig 10.0.0.1: is only for control planes; ",
        ),
        (
            f"{HEAD}LinkConfig\nname: a\n---\n{HEAD}DummyLinkConfig\nname: a",
            "DummyLinkConfig a: LinkConfig a has the same name; remove one of them, or rename it",
        ),
        (
            f"{HEAD}VolumeConfig\nname: LOG",
            "VolumeConfig LOG: name: no system volume of Talos v1.13; write STATE, EPHEMERAL, IMAGECACHE, or a UserVolumeConfig",
        ),
        (
            f"{HEAD}RawVolumeConfig\nname: a",
            "RawVolumeConfig a: provisioning.diskSelector.match: is missing; ",
        ),
        (
            "machine: {ca: {$patch: delete}}",
            "machine.ca: has no certificate, and Talos refuses that; keep it",
        ),
    ],
)
def test_what_talos_refuses(patch: str, line: str) -> None:
    found = lines(V1_13, WORKER, patch)
    assert [one[: len(line)] for one in found] == [line]


@pytest.mark.parametrize(
    ("role", "patch", "line"),
    [
        (WORKER, f"{HEAD}KubeProxyConfig\nimage: a:v1.36.0", "KubeProxyConfig: is only for control planes; "),
        (
            WORKER,
            f"{HEAD}KubeAPIServerCAConfig\nissuingCA: {{cert: a, key: b}}",
            "KubeAPIServerCAConfig: issuingCA: is only for ",
        ),
        (
            WORKER,
            "machine: {kubelet: {extraArgs: {a: b}}}",
            "machine.kubelet: a KubeletConfig says that as well, ",
        ),
        (WORKER, "machine: {nodeLabels: {}}", "machine.nodeLabels: a KubeNodeConfig says that as well, "),
        (
            WORKER,
            "machine: {features: {hostDNS: {}}}",
            "machine.features.hostDNS: a ResolverConfig says that as well; ",
        ),
        (
            CONTROLPLANE,
            "cluster: {apiServer: {image: a}}",
            "cluster.apiServer: a KubeAPIServerConfig says that as ",
        ),
        (
            CONTROLPLANE,
            "cluster: {clusterName: a}",
            "cluster.clusterName: a KubeClusterConfig says that as well, ",
        ),
        (
            CONTROLPLANE,
            "machine: {ca: {crt: YQ==}}",
            "machine.ca.key: is missing, and control planes need it; ",
        ),
        (
            CONTROLPLANE,
            f"{HEAD}DiscoveryIdentityConfig\n$patch: delete",
            "DiscoveryServiceConfig default: needs a Disc",
        ),
        (
            CONTROLPLANE,
            f"{HEAD}KubeClusterConfig\n$patch: delete",
            "KubeAPIServerCAConfig: needs a KubeClusterConfig, ",
        ),
        (
            CONTROLPLANE,
            f"{HEAD}KubeFlannelCNIConfig\nbackendType: {{$patch: delete}}",
            "KubeFlannelCNIConfig: backendType: is ",
        ),
    ],
)
def test_what_talos_1_14_refuses(role: Role, patch: str, line: str) -> None:
    found = lines(V1_14, role, patch)
    assert [one[: len(line)] for one in found] == [line]


def test_one_document_twice_is_refused() -> None:
    documents: Any = load_documents(golden("v1.14-worker"))
    found = faults([*documents, documents[-1]], schema(V1_14), WORKER)
    assert [fault.text for fault in found] == ["is there twice; remove one, or give it another name"]


def test_faults_show_no_values() -> None:
    secret = "s3cr3t-" * 20
    document = {"machine": {"token": [secret], "ca": {"crt": {"a": secret}}}, "cluster": secret}
    found = [str(fault) for fault in document_faults([document], schema(V1_13))]
    assert len(found) == 3
    assert not any("s3cr3t" in line for line in found)


def test_a_long_text_is_not_searched_for_its_form() -> None:
    document = {"apiVersion": "v1alpha1", "kind": "WatchdogTimerConfig", "timeout": "0" * 1_000_000}
    (fault,) = document_faults([document], schema(V1_13))
    assert fault.location == ("timeout",)
