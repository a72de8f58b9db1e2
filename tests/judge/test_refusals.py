"""What we refuse of a configuration, Talos' own library refuses; and what we take, it takes."""

from pathlib import Path

import pytest
from support.judge import Judge, Refused

from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.layers.arda.documents import Contract, dump_documents, load_documents
from iluvatar_pxe.layers.arda.patching.apply import apply_patch
from iluvatar_pxe.layers.arda.patching.patch import parse_patch
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.machines.states import Role

GOLDEN = Path(__file__).parents[1] / "replies/talos"
HEAD = "apiVersion: v1alpha1\nkind: "
CP, WORKER = Role.CONTROLPLANE, Role.WORKER
DISK = "machine: {install: {disk: /dev/sda}}"
FOR_ALL = [
    (WORKER, "machine: {sysctls: {net.ipv4.ip_forward: 1, kernel.x: 0x10, a: true}}", True),
    (WORKER, "machine: {time: {servers: [192.168.1.1]}}", True),
    (WORKER, "debug: yes", True),
    (WORKER, "persist: false", False),
    (WORKER, "machine: {kubelets: {}}", False),
    (WORKER, "machine: {time: {disabled: 3}}", False),
    (WORKER, "machine: {sysctls: {a: [b]}}", False),
    (WORKER, "machine: {certSANs: a}", False),
    (WORKER, "machine: {network: {hostname: a}}", False),
    (WORKER, "machine: {network: {interfaces: [{interface: a, vip: {ip: 10.0.0.1}}]}}", False),
    (
        WORKER,
        "machine: {network: {interfaces: [{interface: a, vlans: [{vlanId: 1, vip: {ip: 10.0.0.1}}]}]}}",
        False,
    ),
    (WORKER, "machine: {ca: {crt: YQ==, key: YQ==}}", False),
    (WORKER, "machine: {ca: {$patch: delete}}", False),
    (WORKER, "cluster: {etcd: {}}", False),
    (CP, "machine: {ca: {crt: YQ==}}", False),
    (WORKER, "machine: {acceptedCAs: [{crt: YQ==}]}", True),
    (WORKER, "machine: {acceptedCAs: {crt: YQ==}}", False),
    (WORKER, "cluster: {acceptedCAs: [{crt: YQ==}]}", True),
    (WORKER, "cluster: {acceptedCAs: {crt: YQ==}}", False),
    (CP, "machine: {install: {disk: /dev/sda, extraKernelArgs: [a], grubUseUKICmdline: true}}", False),
    (WORKER, f"{HEAD}HostnameConfig\nhostname: a", False),
    (WORKER, f"{HEAD}HostnameConfig\nauto: off\nhostname: a", True),
    (WORKER, f"{HEAD}HostnameConfig\nauto: {{$patch: delete}}", False),
    (WORKER, f"{HEAD}KmsgLogConfig\nurl: tcp://a:1", False),
    (WORKER, f"{HEAD}KmsgLogConfig\nname: a\nurl: http://a:1", False),
    (WORKER, f"{HEAD}KmsgLogConfig\nname: a", False),
    (WORKER, f"{HEAD}VolumeConfig\nname: LOGS", False),
    (WORKER, f"{HEAD}RawVolumeConfig\nname: a\nprovisioning: {{minSize: 1GB}}", False),
    (WORKER, f"{HEAD}UserVolumeConfig\nname: a\nvolumeType: directory", True),
    (WORKER, f"{HEAD}LinkConfig\nname: a\n---\n{HEAD}DummyLinkConfig\nname: a", False),
    (WORKER, f"{HEAD}WatchdogTimerConfig\ntimeout: 1m0s", False),
]
IN_1_14 = [
    (WORKER, f"{HEAD}KubeProxyConfig\nimage: registry.k8s.io/kube-proxy:v1.36.0", False),
    (WORKER, "machine: {kubelet: {extraArgs: {a: b}}}", False),
    (WORKER, "machine: {nodeLabels: {a: b}}", False),
    (WORKER, "machine: {features: {hostDNS: {}}}", False),
    (WORKER, f"{HEAD}UnattendedInstallConfig\ninstaller: {{image: a}}", False),
    (WORKER, f"{HEAD}SysctlConfig\nparams: {{a: 1}}", True),
    (CP, "cluster: {apiServer: {image: a}}", False),
    (CP, "cluster: {clusterName: a}", False),
    (CP, "machine: {install: {disk: /dev/sda}}", True),
    (CP, f"{HEAD}DiscoveryIdentityConfig\n$patch: delete", False),
    (CP, f"{HEAD}KubeClusterConfig\n$patch: delete", False),
    (CP, f"{HEAD}KubeFlannelCNIConfig\nbackendType: {{$patch: delete}}", False),
    (CP, f"{HEAD}KubeletConfig\nextraArgs: {{max-pods: 200}}", True),
]


def verdict_of_talos(judge: Judge, base: str, patch: str) -> str:
    try:
        judge.load(judge.patch(base, patch))
    except Refused as refused:
        return str(refused)
    return ""


def our_verdict(judge: Judge, base: str, patch: str, role: Role) -> str:
    try:
        documents = apply_patch(load_documents(base), parse_patch(patch), judge.contract)
    except DocumentError as error:
        return error.text
    return "; ".join(map(str, faults(documents, schema_of(judge.contract), role)))


@pytest.mark.parametrize(("role", "patch", "is_valid"), FOR_ALL + IN_1_14)
def test_both_refuse_the_same(judge: Judge, role: Role, patch: str, *, is_valid: bool) -> None:
    if judge.contract is Contract.V1_13 and (role, patch, is_valid) in IN_1_14:
        pytest.skip("Talos 1.13 has no such documents")
    secrets = (GOLDEN / "secrets.yaml").read_text()
    made = judge.generate(secrets, "base", "https://base:6443", "1.36.0")[role]
    base = judge.patch(made, DISK) if judge.contract is Contract.V1_13 else made
    theirs, ours = verdict_of_talos(judge, base, patch), our_verdict(judge, base, patch, role)
    assert (not theirs, not ours) == (is_valid, is_valid), f"{theirs} / {ours}"


def test_what_we_write_talos_reads_as_the_same(judge: Judge) -> None:
    for role in (CP, WORKER):
        text = (GOLDEN / f"{judge.contract}-{role}.yaml").read_text()
        written = dump_documents(load_documents(text))
        assert judge.patch(written) == judge.patch(text)
