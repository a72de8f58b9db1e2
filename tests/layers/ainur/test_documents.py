"""The documents that cloud-init reads: the real one checks them."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from support import real_cloud_init
from support.ainur import MAC, bundle_of, cluster_of, node_of

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.root import Root
from iluvatar_pxe.fleet.users import User
from iluvatar_pxe.layers.ainur.bundle import tls_files
from iluvatar_pxe.layers.ainur.documents import (
    PASSWORDS,
    CloudInitDocuments,
    documents_of,
    secret_files_of,
    swap_answer,
)
from iluvatar_pxe.layers.ainur.fragments import Fragment
from iluvatar_pxe.layers.ainur.k3s_files import TOKEN
from iluvatar_pxe.layers.ainur.node import K3sCluster, K3sNode, Surroundings
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.resources import read_node_programs

PROGRAM, IMAGES = "k3s/v1.36.3+k3s1/k3s-arm64", "k3s/v1.36.3+k3s1/k3s-airgap-images-arm64.tar.zst"
AROUND = Surroundings(
    daemons=("http://192.168.1.2:8080", "http://192.168.1.3:8080"),
    ticket="THE-TICKET",
    time_servers=("192.168.1.2", "192.168.1.3", "192.168.1.1"),
    sums={PROGRAM: "a" * 64, IMAGES: "b" * 64},
)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBo1Xw8eNh7oN5vjQ2Yb8Fq6p0c9u3s7d1k2m4r6t8wZ anna@laptop"
HASH = "$y$j9T$abcdefghijklmnopqrstuv$0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
ANNA = User.model_validate({"name": "anna", "sshKeys": [KEY], "passwordHash": "secrets/anna", "sudo": True})
USED = K3sCluster(
    name="ainur",
    domain="lab.home.arpa",
    k3s=cluster_of(disable=["servicelb"], labels={"agent": {"a": "b"}}).k3s,
    bundle=bundle_of(),
    users=(ANNA, User.model_validate({"name": "bert", "sshKeys": [KEY]})),
    passwords={"anna": HASH},
)
MEMORY = Root.model_validate({"kind": "memory", "data": {"label": "data", "longhorn": "."}})
NODES = {
    "server": (cluster_of(), node_of()),
    "agent": (USED, node_of("ainur-04", Role.AGENT)),
    "in memory": (USED, node_of(root=MEMORY)),
    "with a fragment": (
        USED,
        node_of(fragments=(Fragment("patches/a.yaml", "packages: [htop]\nruncmd: [[ls]]\n"),)),
    ),
}


def made(cluster: K3sCluster, node: K3sNode, around: Surroundings = AROUND) -> CloudInitDocuments:
    return documents_of(cluster, node, around, read_node_programs())


def user_data(name: str) -> Mapping[str, Any]:
    found: dict[str, Any] = yaml.safe_load(made(*NODES[name]).user_data)
    return found


def files(name: str) -> Mapping[str, Mapping[str, str]]:
    return {file["path"]: file for file in user_data(name)["write_files"]}


def node_json(name: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(files(name)["/etc/iluvatar/node.json"]["content"])
    return found


@pytest.mark.parametrize("name", NODES)
def test_cloud_init_of_debian_12_takes_it(name: str) -> None:
    assert real_cloud_init.faults(made(*NODES[name]).user_data) == ""


def test_cloud_init_is_strict() -> None:
    assert "runcmd" in real_cloud_init.faults(
        made(*NODES["server"]).user_data.replace("runcmd:\n", "runcmd: 5\nx:\n")
    )


@pytest.mark.long
@pytest.mark.parametrize("name", NODES)
def test_cloud_init_of_debian_13_takes_it(name: str) -> None:
    documents = made(*NODES[name])
    assert real_cloud_init.faults(documents.user_data, release="trixie") == ""
    assert real_cloud_init.faults(documents.network_config, release="trixie", kind="network-config") == ""
    wrong = documents.network_config.replace("dhcp4: true", "dhcp4: maybe")
    assert "dhcp4" in real_cloud_init.faults(wrong, release="trixie", kind="network-config")


@pytest.mark.parametrize("name", NODES)
def test_the_same_is_made_each_time_and_begins_as_it_must(name: str) -> None:
    documents = made(*NODES[name])
    assert documents == made(*NODES[name])
    assert documents.user_data.startswith("#cloud-config\n")
    assert "THE-TICKET" not in repr(documents)


@pytest.mark.parametrize("name", NODES)
def test_no_lasting_secret_is_in_it(name: str) -> None:
    bundle = bundle_of()
    secrets = (bundle.server_token, bundle.agent_token, HASH, "PRIVATE KEY", *tls_files(bundle).values())
    documents = made(*NODES[name])
    text = f"{documents.user_data}{documents.meta_data}{documents.network_config}"
    assert not [one for one in secrets if one in text]


def test_the_machine_is_named_and_has_dhcp_on_its_nics() -> None:
    documents = made(
        cluster_of(),
        K3sNode(name="ainur-01", role=Role.SERVER, macs=(MAC, "dc:a6:32:00:00:02"), instance_id="x"),
    )
    assert yaml.safe_load(documents.meta_data) == {"instance-id": "x", "local-hostname": "ainur-01"}
    assert documents.vendor_data == ""
    nics = yaml.safe_load(documents.network_config)["ethernets"]
    assert [(nic["match"]["macaddress"], nic["optional"]) for nic in nics.values()] == [
        (MAC, False),
        ("dc:a6:32:00:00:02", True),
    ]
    assert all(nic["dhcp4"] and nic["dhcp-identifier"] == "mac" for nic in nics.values())


def test_nobody_logs_in_with_a_password_or_by_the_image_s_own_user() -> None:
    assert user_data("server")["users"] == [{"name": "root", "lock_passwd": True}]
    anna, bert = user_data("agent")["users"]
    assert (anna["name"], anna["ssh_authorized_keys"], anna["sudo"]) == (
        "anna",
        [KEY],
        "ALL=(ALL) NOPASSWD:ALL",
    )
    assert (bert["name"], "sudo" in bert) == ("bert", False)
    assert anna["lock_passwd"]
    assert bert["lock_passwd"]
    assert user_data("agent")["ssh_pwauth"] is False


def test_nothing_of_the_internet_is_needed() -> None:
    said = user_data("server")
    assert not said.keys() & {"packages", "snap", "ubuntu_pro"}
    assert (said["package_update"], said["package_upgrade"]) == (False, False)
    assert said["ntp"] == {
        "enabled": True,
        "pools": [],
        "servers": ["192.168.1.2", "192.168.1.3", "192.168.1.1"],
    }
    asked = re.findall(r"https?://([\w.:-]+)", made(*NODES["server"]).user_data)
    assert set(asked) == {"192.168.1.2:8080", "192.168.1.3:8080", "k3s.io"}, (
        "that of the unit's documentation"
    )


def test_it_tells_the_daemon_how_far_it_is() -> None:
    said = user_data("server")
    assert said["reporting"]["iluvatar"]["endpoint"] == "http://192.168.1.2:8080/cloud-init/THE-TICKET/report"
    assert said["phone_home"]["url"] == "http://192.168.1.2:8080/cloud-init/THE-TICKET/phone-home"


@pytest.mark.parametrize(("name", "unit"), [("server", "k3s.service"), ("agent", "k3s-agent.service")])
def test_k3s_is_started_without_being_waited_for_once_the_machine_is_prepared(name: str, unit: str) -> None:
    start = ["systemctl", "enable", "--now", "--no-block"]
    assert user_data(name)["runcmd"][-2:] == [[*start, unit], [*start, "iluvatar-tasks.timer"]]
    drop_in = files(name)[f"/etc/systemd/system/{unit}.d/10-iluvatar.conf"]["content"]
    programs = re.findall(r"ExecStartPre=-?/usr/bin/python3 -I (\S+)", drop_in)
    known = read_node_programs()
    assert [files(name)[program]["content"] for program in programs] == [
        known["prepare.py"],
        known["tasks.py"],
    ]
    assert "After=time-sync.target" in drop_in


def test_what_the_machine_is_told_of_itself_is_for_root_alone() -> None:
    assert files("server")["/etc/iluvatar/node.json"]["permissions"] == "0600"
    assert node_json("server") == {
        "name": "ainur-01",
        "unit": "k3s.service",
        "version": "v1.36.3+k3s1",
        "daemons": ["http://192.168.1.2:8080", "http://192.168.1.3:8080"],
        "clocks": ["http://192.168.1.2:8080", "http://192.168.1.3:8080"],
        "url": "http://192.168.1.2:8080/cloud-init/THE-TICKET",
        "not_before": 1793491200,
        "data": None,
        "assets": [
            {
                "path": "/assets/k3s/v1.36.3%2Bk3s1/k3s-arm64",
                "sha256": "a" * 64,
                "to": "/usr/local/bin/k3s",
                "mode": "755",
            },
            {
                "path": "/assets/k3s/v1.36.3%2Bk3s1/k3s-airgap-images-arm64.tar.zst",
                "sha256": "b" * 64,
                "to": "/var/lib/rancher/k3s/agent/images/k3s-airgap-images-arm64.tar.zst",
                "mode": "644",
            },
        ],
    }


def test_what_lasts_of_a_machine_in_memory_is_in_the_file_system_for_that() -> None:
    assert node_json("in memory")["data"] == {
        "source": "LABEL=data",
        "folders": {"rancher": "/var/lib/rancher", "node": "/etc/rancher/node", ".": "/var/lib/longhorn"},
    }
    assert user_data("in memory")["resize_rootfs"] is False
    assert user_data("server")["resize_rootfs"] is True


def test_a_file_system_is_named_by_its_uuid_as_well() -> None:
    by_uuid = Root.model_validate({"data": {"uuid": "AB12-CD34"}})
    assert by_uuid.data
    assert by_uuid.data.source == "UUID=AB12-CD34"


def test_files_of_k3s_that_are_not_there_are_named() -> None:
    around = Surroundings(daemons=("http://192.168.1.2:8080",), ticket="x", sums={PROGRAM: "a" * 64})
    with pytest.raises(
        ConfigurationError, match=r"k3s-airgap-images-arm64\.tar\.zst is not there yet; see: "
    ):
        made(cluster_of(), node_of(), around)


def test_a_swap_brings_passwords_sealed_files_and_the_token_at_the_end() -> None:
    sealed = Fragment(
        "patches/s.yaml",
        "write_files: [{path: /etc/vpn, content: classified, permissions: '0640'}]\n",
        is_sealed=True,
    )
    node = node_of(fragments=(sealed,))
    assert "classified" not in made(USED, node).user_data
    found = secret_files_of(USED, node, K3sPart.JOIN_SERVER)
    assert (found["/etc/vpn"].text, found["/etc/vpn"].mode) == ("classified", 0o640)
    assert found[PASSWORDS].text == f"anna:{HASH}\n"
    assert list(found)[-1] == TOKEN
    answer = json.loads(swap_answer(found, "the receipt"))
    assert answer["receipt"] == "the receipt"
    assert [file["path"] for file in answer["files"]] == list(found)
    assert {file["path"]: file["mode"] for file in answer["files"]}["/etc/vpn"] == "640"
    assert [file["path"] for file in answer["files"] if file["stays"]] == ["/etc/rancher/node/password"]
