"""What a machine's configuration says of its disk, its network and its place in the cluster."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clusters import IMAGE, cluster_facts, control_plane_secrets, golden_bundle, machine_facts, shows

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.layers.arda.configuration.cel import of_disk, quoted
from iluvatar_pxe.layers.arda.configuration.images import version_of
from iluvatar_pxe.layers.arda.configuration.make import documents_of, partial_documents
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, Document, dump_documents, load_documents
from iluvatar_pxe.machines.states import ROLES, LayerKind, Role

ESCAPED = re.compile(r'\\U([0-9a-f]{8})|\\(["\\])|([^"\\])')
"""What stands in a string literal (github.com/google/cel-spec, doc/langdef.md)."""


def one(documents: tuple[Document, ...], kind: str) -> Any:
    """Return the only document of a kind; the v1alpha1 document has none."""
    (found,) = (each for each in documents if each.get("kind", "") == kind)
    return found


def test_1_13_installs_by_the_names_of_the_disk_with_the_kernel_arguments_of_the_schematic() -> None:
    made = one(documents_of(cluster_facts(Contract.V1_13), machine_facts(Role.WORKER)), "")

    assert made["machine"]["install"] == {
        "diskSelector": {"serial": "S6Z1NJ0T", "wwid": "eui.0025385b21404321"},
        "image": IMAGE,
        "wipe": False,
        "grubUseUKICmdline": True,
    }


def test_1_14_installs_by_an_expression_that_is_true_of_this_disk_alone() -> None:
    made = one(
        documents_of(cluster_facts(Contract.V1_14), machine_facts(Role.WORKER)), "UnattendedInstallConfig"
    )

    assert made["installer"] == {"image": IMAGE}
    assert made["provisioning"] == {
        "diskSelector": {
            "match": 'disk.serial == "S6Z1NJ0T" && disk.wwid == "eui.0025385b21404321" && !disk.readonly && !disk.cdrom'
        },
        "wipe": False,
    }


@given(st.text())
def test_any_serial_number_is_one_string_literal(text: str) -> None:
    literal = quoted(text)

    assert literal.isprintable()
    parts = list(ESCAPED.finditer(literal[1:-1]))
    assert literal == f'"{"".join(part[0] for part in parts)}"'
    assert "".join(chr(int(part[1], 16)) if part[1] else part[2] or part[3] for part in parts) == text


def test_a_serial_number_cannot_end_its_literal() -> None:
    disk = DiskChoice(serial='x" || true || "\\', size=1, path="/dev/sda")
    assert of_disk(disk) == r'disk.serial == "x\" || true || \"\\" && !disk.readonly && !disk.cdrom'


@pytest.mark.parametrize(
    ("serial", "wwid", "selector"),
    [
        ("S1", "", {"serial": "S1"}),
        ("", "naa.5", {"wwid": "naa.5"}),
        ("S*", "naa.5", {"wwid": "naa.5"}),
        ("[S]?", "", {"serial": "[S]?"}),
    ],
)
def test_1_13_names_no_disk_by_a_pattern(serial: str, wwid: str, selector: dict[str, str]) -> None:
    disk = DiskChoice(serial=serial, wwid=wwid, size=1, path="/dev/sda")
    made = one(documents_of(cluster_facts(Contract.V1_13), machine_facts(Role.WORKER, disk)), "")
    assert made["machine"]["install"]["diskSelector"] == selector


@pytest.mark.parametrize("contract", Contract)
def test_a_disk_without_a_name_of_its_own_is_refused(contract: Contract) -> None:
    disk = DiskChoice(size=1, path="/dev/sda", model="QEMU")
    with pytest.raises(ConfigurationError, match="disk /dev/sda has no serial number, no WWID"):
        documents_of(cluster_facts(contract), machine_facts(Role.WORKER, disk))


def test_1_13_refuses_a_disk_that_only_patterns_name() -> None:
    disk = DiskChoice(serial="*", size=1, path="/dev/sda")
    with pytest.raises(ConfigurationError, match=r"Talos 1\.13 .*; choose another disk"):
        documents_of(cluster_facts(Contract.V1_13), machine_facts(Role.WORKER, disk))
    assert documents_of(cluster_facts(Contract.V1_14), machine_facts(Role.WORKER, disk))


@pytest.mark.parametrize("contract", Contract)
def test_each_nic_is_named_by_its_mac_and_the_first_holds_the_vip_of_control_planes(
    contract: Contract,
) -> None:
    cluster = cluster_facts(contract, vip="192.168.1.60")
    made = documents_of(cluster, machine_facts(Role.CONTROLPLANE))

    assert [each["selector"]["match"] for each in made if each.get("kind") == "LinkAliasConfig"] == [
        'mac(link.permanent_addr) == "52:54:00:12:34:56"',
        'mac(link.permanent_addr) == "52:54:00:12:34:57"',
    ]
    vip = one(made, "Layer2VIPConfig")
    assert (vip["name"], vip["link"]) == ("192.168.1.60", "net0")
    assert not [
        each
        for each in documents_of(cluster, machine_facts(Role.WORKER))
        if each.get("kind") == "Layer2VIPConfig"
    ]


@pytest.mark.parametrize("contract", Contract)
def test_the_machine_tells_this_daemon_and_asks_it_first(contract: Contract) -> None:
    made = documents_of(cluster_facts(contract), machine_facts(Role.WORKER))

    assert one(made, "EventSinkConfig")["endpoint"] == "192.168.1.2:3333"
    assert one(made, "KmsgLogConfig")["url"] == "tcp://192.168.1.2:3334"
    assert one(made, "EnvironmentConfig")["variables"] == {"no_proxy": "192.168.1.2,.lab"}
    assert one(made, "ResolverConfig")["nameservers"] == [
        {"address": "192.168.1.2"},
        {"address": "192.168.1.1"},
    ]
    time = one(made, "TimeSyncConfig")
    assert (time["bootTimeout"], time["ntp"]["servers"][0]) == ("2m0s", "192.168.1.2")


def test_the_switch_of_the_host_name_is_a_text_and_no_boolean() -> None:
    text = dump_documents(documents_of(cluster_facts(Contract.V1_13), machine_facts(Role.WORKER)))
    assert one(load_documents(text), "HostnameConfig") == {
        "apiVersion": "v1alpha1",
        "kind": "HostnameConfig",
        "auto": "off",
        "hostname": "node-01",
    }
    assert re.search(r"^auto: ['\"]off['\"]$", text, re.MULTILINE), "PyYAML and Talos read the same"


def test_1_13_control_planes_without_workers_run_everything_and_take_part_in_load_balancing() -> None:
    alone = one(
        documents_of(cluster_facts(Contract.V1_13, schedules=True), machine_facts(Role.CONTROLPLANE)), ""
    )
    usual = one(documents_of(cluster_facts(Contract.V1_13), machine_facts(Role.CONTROLPLANE)), "")

    assert alone["cluster"]["allowSchedulingOnControlPlanes"] is True
    assert "nodeLabels" not in alone["machine"]
    assert "allowSchedulingOnControlPlanes" not in usual["cluster"]
    assert "nodeLabels" in usual["machine"]


def test_1_14_control_planes_without_workers_run_everything_and_take_part_in_load_balancing() -> None:
    cluster = cluster_facts(Contract.V1_14, schedules=True)
    node = one(documents_of(cluster, machine_facts(Role.CONTROLPLANE)), "KubeNodeConfig")
    worker = one(documents_of(cluster, machine_facts(Role.WORKER)), "KubeNodeConfig")

    assert node["labels"] == {"node-role.kubernetes.io/control-plane": ""}
    assert "taints" not in node
    assert worker.keys() == {"apiVersion", "kind", "nodeIP"}


@pytest.mark.parametrize("contract", Contract)
def test_a_worker_gets_no_secret_of_the_control_plane(contract: Contract) -> None:
    bundle = golden_bundle()
    texts = {
        role: dump_documents(documents_of(cluster_facts(contract), machine_facts(role)))
        for role in ROLES[LayerKind.TALOS]
    }
    for secret in control_plane_secrets(bundle):
        assert [role for role, text in texts.items() if shows(text, secret)] == [Role.CONTROLPLANE]


def test_a_partial_configuration_has_the_network_and_no_secret() -> None:
    made = partial_documents(machine_facts(Role.CONTROLPLANE))

    assert [each["kind"] for each in made] == [
        *("LinkAliasConfig", "DHCPv4Config", "LinkAliasConfig", "DHCPv4Config"),
        *("ResolverConfig", "TimeSyncConfig", "EventSinkConfig", "KmsgLogConfig", "EnvironmentConfig"),
    ]


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("ghcr.io/siderolabs/kubelet:v1.36.3", "v1.36.3"),
        ("ghcr.io/siderolabs/kubelet:v1.36.3-fat", "v1.36.3"),
        ("registry.lan:5000/kubelet:v1.37.0@sha256:00", "v1.37.0"),
        ("registry.lan:5000/kubelet@sha256:00", ""),
        ("", ""),
    ],
)
def test_the_version_that_an_image_s_tag_says(image: str, version: str) -> None:
    assert version_of(image) == version
