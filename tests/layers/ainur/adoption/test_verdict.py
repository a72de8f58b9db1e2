"""Which clusters are refused, and what is told of the others."""

from ipaddress import IPv4Address
from typing import Any

import pytest

from iluvatar_pxe.layers.ainur.adoption.observed import ObservedCluster, ObservedNode
from iluvatar_pxe.layers.ainur.adoption.verdict import cautions, refusals
from iluvatar_pxe.values import replace

API = "api.ainur.lab"
SERVER = ObservedNode(
    name="pi-1",
    leads=True,
    has_etcd=True,
    address=IPv4Address("10.0.0.1"),
    version="v1.36.3+k3s1",
    created="",
    options={"tls-san": (f"other,{API}",)},
)
AGENT = replace(SERVER, name="pi-4", leads=False, has_etcd=False, options={})
USUAL = ["Argo CD is not installed by the daemon in a cluster that exists"]


def with_options(**options: str) -> ObservedNode:
    told = {key.replace("_", "-"): (value,) for key, value in options.items()}
    return replace(SERVER, options={**(SERVER.options or {}), **told})


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([AGENT], "no Node is a server"),
        (
            [replace(SERVER, has_etcd=False)],
            "pi-1: is a server without etcd; run k3s on it once with cluster-init",
        ),
        ([replace(SERVER, options=None)], "pi-1: its Node does not tell the options"),
        ([replace(SERVER, version="v1.36.3")], "pi-1: runs v1.36.3, which is no release of k3s"),
        ([SERVER, replace(AGENT, address=None)], "pi-4: its Node has no IPv4 address"),
        ([with_options(datastore_endpoint="********")], "pi-1: its cluster is in an external datastore"),
        (
            [replace(SERVER, has_etcd=False, environment=frozenset({"K3S_DATASTORE_ENDPOINT"}))],
            "pi-1: its cluster is in an external datastore",
        ),
        ([with_options(disable_etcd="true")], "pi-1: --disable-etcd is set"),
        ([with_options(https_listen_port="7443")], "pi-1: --https-listen-port=7443"),
        ([replace(SERVER, name=f"pi-{number}") for number in range(7)], "it has 7 servers"),
    ],
)
def test_what_cannot_be_adopted(nodes: list[ObservedNode], words: str) -> None:
    (told,) = refusals(ObservedCluster(nodes=tuple(nodes)))
    assert told.startswith(words)


@pytest.mark.parametrize(
    ("nodes", "more", "words"),
    [
        ([SERVER, replace(SERVER, name="pi-2")], {}, "it has 2 servers, an even number"),
        ([SERVER, replace(AGENT, version="v1.36.2+k3s1")], {}, "its nodes run v1.36.2+k3s1 and v1.36.3+k3s1"),
        ([SERVER], {"service_address": "10.53.0.1"}, "its Services have addresses such as 10.53.0.1"),
        ([with_options(flannel_backend="none")], {}, "its network is not flannel"),
        ([with_options(secrets_encryption="true")], {}, "its Secrets are encrypted by a key"),
        ([SERVER], {"manifests": ("/m/ours.yaml",)}, "/m/ours.yaml: was put by hand"),
        ([replace(SERVER, options={})], {}, f"pi-1: its certificate does not name {API}"),
        ([SERVER, replace(AGENT, longhorn=("/mnt/l",))], {}, "pi-4: Longhorn has volumes in /mnt/l"),
    ],
)
def test_what_is_told(nodes: list[ObservedNode], more: dict[str, Any], words: str) -> None:
    cluster = ObservedCluster(nodes=tuple(nodes), **more)
    assert refusals(cluster) == ()
    told = sorted(line for line in cautions(cluster, API) if not line.startswith(USUAL[0]))
    assert len(told) == 1
    assert told[0].startswith(words)


def test_of_an_ordinary_cluster_little_is_told() -> None:
    cluster = ObservedCluster(
        nodes=(with_options(service_cidr="10.53.0.0/16,fd00::/112"), AGENT), service_address="10.53.0.1"
    )
    assert [line.partition(";")[0] for line in cautions(cluster, API)] == USUAL
