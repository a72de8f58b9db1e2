"""What a Node tells of its k3s is read as k3s writes it."""

import json
from ipaddress import IPv4Address
from typing import Any

import pytest

from iluvatar_pxe.layers.ainur.adoption.observed import (
    ADDONS,
    API_SERVICE,
    LONGHORN_NODES,
    NODES,
    PATHS,
    observed,
)

NOTHING: dict[str, dict[str, Any]] = {path: {} for path in PATHS}


def node(arguments: object = ("server",), **more: Any) -> dict[str, Any]:
    metadata = {
        "name": "pi-1",
        "creationTimestamp": "2025-01-01T00:00:00Z",
        "labels": {
            "node-role.kubernetes.io/control-plane": "true",
            "node-role.kubernetes.io/etcd": "true",
            "beta.kubernetes.io/arch": "arm64",
            "lab/disk": "ssd",
        },
        "annotations": {
            "k3s.io/node-args": json.dumps(arguments),
            "k3s.io/node-env": '{"K3S_TOKEN": "********"}',
        },
    }
    addresses = [{"type": "Hostname", "address": "pi-1"}, {"type": "InternalIP", "address": "10.0.0.1"}]
    status = {"nodeInfo": {"kubeletVersion": "v1.36.3+k3s1"}, "addresses": addresses}
    return {"metadata": metadata, "spec": {}, "status": status, **more}


def test_a_server_with_its_options_and_what_longhorn_has_there() -> None:
    taints = [
        {"key": "lab/only", "value": "yes", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
    ]
    found = node(
        ["server", "--disable", "traefik", "--disable=local-storage", "--selinux", "--v", "2"],
        spec={"taints": taints},
    )
    disks = {"metadata": {"name": "pi-1"}, "spec": {"disks": {"one": {"path": "/var/lib/longhorn"}}}}
    told: dict[str, dict[str, Any]] = {
        NODES: {"items": [found]},
        API_SERVICE: {"spec": {"clusterIP": "10.43.0.1"}},
        LONGHORN_NODES: {"items": [disks]},
    }
    cluster = observed({**NOTHING, **told})
    (one,) = cluster.servers
    assert (one.name, one.has_etcd, one.address) == ("pi-1", True, IPv4Address("10.0.0.1"))
    assert one.options == {
        "disable": ("traefik", "local-storage"),
        "selinux": ("true",),
        "v": ("2",),
    }
    assert one.environment == {"K3S_TOKEN"}
    assert one.labels == {"lab/disk=ssd"}
    assert one.taints == {"lab/only=yes:NoSchedule"}
    assert one.longhorn == ("/var/lib/longhorn",)
    assert cluster.service_address == "10.43.0.1"


def test_manifests_that_k3s_does_not_bring() -> None:
    folder = "/var/lib/rancher/k3s/server/manifests/"
    files = ["coredns.yaml", "metrics-server/service.yaml", "ours.yaml", "lab/more.yaml"]
    items = [{"spec": {"source": folder + file}} for file in files]
    found = observed({**NOTHING, ADDONS: {"items": items}})
    assert found.manifests == (f"{folder}lab/more.yaml", f"{folder}ours.yaml")


@pytest.mark.parametrize("text", ["", "no JSON", "{}", "[]", "7", None])
def test_a_node_that_does_not_tell_its_options(text: str | None) -> None:
    found = node()
    found["metadata"]["annotations"] = {"k3s.io/node-args": text} if text is not None else None
    assert observed({**NOTHING, NODES: {"items": [found]}}).nodes[0].options is None


@pytest.mark.parametrize(
    "strange", [{"items": None}, {"items": [7, {}]}, {"items": [{"metadata": 1, "status": []}]}]
)
def test_answers_of_another_form_break_nothing(strange: dict[str, Any]) -> None:
    assert all(one.options is None for one in observed(dict.fromkeys(PATHS, strange)).nodes)
